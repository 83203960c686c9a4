#!/bin/bash
# Starts the image's own entrypoint, unless the volume is left over from a first start that was cut off: the image would
# take it for a finished one without users ("access denied"), or stop at it, again at each restart.
if [ -n "$(ls -A /var/lib/mysql)" ] && [ ! -e /var/lib/mysql/init-complete ]; then
  echo "The database's first start was interrupted, so its volume is half made and holds nothing yet." >&2
  echo "Delete the volume with 'docker compose down -v', then start again with 'docker compose up -d --wait'." >&2
  echo "(A copy of a data folder that you put there yourself? Make the file init-complete in it instead.)" >&2
  # Success, because compose restarts after a failure and no restart mends this.
  exit 0
fi
exec docker-entrypoint.sh "$@"
