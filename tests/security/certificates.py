"""An authority of the test's own, and the certificate of a server at 127.0.0.1 that it has signed."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Files in `folder`: `certificate` (who trusts this trusts the server), and the server's own."""

    def __init__(self, folder):
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _name("Test authority")
        certificate = (
            _builder(issuer, issuer, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        server_key = ec.generate_private_key(ec.SECP256R1())
        server = (
            _builder(_name("127.0.0.1"), issuer, server_key)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = folder / "ca.pem"
        self.server_certificate, self.server_key = folder / "server.pem", folder / "server-key.pem"
        self.server_both = folder / "server-both.pem"  # as Kafka likes it
        self.certificate.write_bytes(_pem(certificate))
        self.server_certificate.write_bytes(_pem(server))
        self.server_key.write_bytes(_pem_of_key(server_key))
        self.server_both.write_bytes(_pem_of_key(server_key) + _pem(server) + _pem(certificate))


def _builder(subject, issuer, key):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(**allowed):
    usages = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usages += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{usage: allowed.get(usage, False) for usage in usages})


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
