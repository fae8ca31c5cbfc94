#!/bin/bash
# A sweep as an array of SLURM: each task does its share of the runs, one after the other, and needs no other.
#   gridsim sweep study.toml --list           # finds every problem of the input in seconds
#   sbatch slurm-array.sh study.toml
# Submitted again, it does what is missing, and goes on with runs that the time limit has cut off. The table, when all is done:
#   sbatch --dependency=afterany:JOBID --wrap "gridsim sweep study.toml --collect"
# Change the 20 in both places.
#SBATCH --job-name=gridsim
#SBATCH --array=1-20
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=04:00:00
#SBATCH --output=sweep-%A_%a.log
set -eu
gridsim sweep "${1:-study.toml}" --task "$SLURM_ARRAY_TASK_ID/${2:-20}"
