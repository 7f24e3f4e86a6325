#!/usr/bin/env bash
# Brings a virtual environment up to a stamp: tools/environment.sh FOLDER STAMP PIP-ARGUMENT... [-- PIP-ARGUMENT...]...
#
# While pip works, the folder has no stamp (.ready*). One that has none is new or was interrupted, and is made anew,
# since nobody knows what is half written in it; pip's cache keeps the downloads.
set -euo pipefail
folder=$1 stamp=$2
shift 2
python=${PYTHON:-python3.11}
aside=$folder/.earlier-stamps
locks=$(printf '%s\n' "$@" | grep '\.txt$' | paste -sd ,)

command -v "$python" >/dev/null ||
  { echo "Python 3.11 is needed as '$python' (or make PYTHON=/path/to/python3.11)" >&2; exit 1; }

if [ -x "$folder/bin/python" ] && compgen -G "$folder/.ready*" >/dev/null; then
  echo "adding $locks to $folder ..."
  rm -rf "$aside" && mkdir "$aside"
  mv "$folder"/.ready* "$aside"
else
  echo "making $folder from $locks ..."
  "$python" -m venv --clear "$folder"
  mkdir "$aside"
fi

while [ $# -gt 0 ]; do
  arguments=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do arguments+=("$1"); shift; done
  if [ $# -gt 0 ]; then shift; fi
  # Progress is for people; logs of CI stay short.
  "$folder/bin/python" -m pip --disable-pip-version-check install ${CI:+--quiet} "${arguments[@]}"
done

# Moved, not touched: an earlier stamp keeps its age, so that make still sees what is newer.
find "$aside" -name '.ready*' -exec mv {} "$folder" \;
rmdir "$aside"
touch "$folder/$stamp"
