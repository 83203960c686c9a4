"""A Kafka of three brokers that keeps three copies of each record, and loses the leader of a partition under load."""

import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from tests.eventually import eventually
from tests.faults import scene as scenes
from tests.faults.system import ROOT, System

BACK_SECONDS = 8  # another broker takes the dead one's partitions over
CLUSTER = "dGhyZWUtYnJva2Vycy10ZQ"
SETTINGS = """
node.id={number}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.quorum.voters={voters}
log.dirs={folder}/{number}
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
"""


class Brokers:
    """Started as ./local.sh starts its one: the same program, the same jars."""

    def __init__(self, java, folder, base_port):
        self._java, self._folder = java, folder
        self._ports = [base_port + 2 * number for number in range(3)]
        self.servers = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self._processes = {}

    def format(self):
        voters = ",".join(f"{number}@127.0.0.1:{port + 1}" for number, port in enumerate(self._ports, start=1))
        common = (ROOT / "docker" / "kafka-local.properties").read_text()
        for number, port in enumerate(self._ports, start=1):
            own = SETTINGS.format(number=number, port=port, controller=port + 1, voters=voters, folder=self._folder)
            self._settings(number).write_text(common + own)  # the last value of a repeated name counts
            self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._settings(number))).wait(60)

    def start(self, number):
        self._processes[number] = self._run("kafka.Kafka", str(self._settings(number)))

    def kill(self, number):
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def await_open(self):
        for port in self._ports:
            eventually(lambda port=port: port_is_open(port), 60, "three brokers")

    def leader_of(self, topic, partition):
        with closing(KafkaAdminClient(bootstrap_servers=self.servers, api_version=(3, 9))) as admin:
            (topic_data,) = admin.describe_topics([topic])
        return next(each["leader_id"] for each in topic_data["partitions"] if each["partition_index"] == partition)

    def insync(self, topic):
        """The least number of copies that are up to date, over the topic's partitions."""
        with closing(KafkaAdminClient(bootstrap_servers=self.servers, api_version=(3, 9))) as admin:
            (topic_data,) = admin.describe_topics([topic])
        return min(len(each["isr_nodes"]) for each in topic_data["partitions"])

    def close(self):
        for number in list(self._processes):
            self.kill(number)

    def _run(self, *command):
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen([*self._java, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _settings(self, number):
        return self._folder / f"{number}.properties"


@contextmanager
def three_brokers(folder, base_port, kafka_pid):
    command = Path(f"/proc/{kafka_pid}/cmdline").read_text().split("\0")
    brokers = Brokers(command[: command.index("kafka.Kafka")], folder, base_port)
    try:
        brokers.format()
        for number in (1, 2, 3):
            brokers.start(number)
        brokers.await_open()
        yield brokers
    finally:
        brokers.close()


@pytest.fixture(scope="module")
def brokers(system_to_break, tmp_path_factory):
    one = System()
    with three_brokers(tmp_path_factory.mktemp("brokers"), one.port("kafka") + 4, one.pid("kafka")) as three:
        yield three


@pytest.fixture(scope="module")
def stage(brokers):
    with scenes.stage(KAFKA_BOOTSTRAP_SERVERS=brokers.servers, KAFKA_REPLICATION="3") as stage:
        yield stage


@pytest.mark.timeout(240, func_only=True)
def test_nothing_is_lost_when_the_leader_of_a_partition_is_killed(scene, brokers):
    scene.load()

    for _ in range(2):
        leader = brokers.leader_of("balances", 0)
        brokers.kill(leader)
        took = scene.through(limit=BACK_SECONDS)
        print(f"\nbroker {leader}, a leader, killed: all partitions were consumed again after {took:.1f} s")
        brokers.start(leader)
        eventually(lambda: brokers.insync("balances") == 3, 60, "three copies of each record")
        time.sleep(2)


def port_is_open(port):
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False
