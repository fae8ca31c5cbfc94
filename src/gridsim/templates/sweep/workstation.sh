#!/bin/bash
# A sweep on one machine: one worker for each core. After a crash, a power cut or Ctrl-C the same command goes on.
#   bash workstation.sh study.toml
# In the background, beyond the end of the session:
#   nohup bash workstation.sh study.toml > sweep.log 2>&1 &
set -eu
gridsim sweep "${1:-study.toml}" --memory 2GB
