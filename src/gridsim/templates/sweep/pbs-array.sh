#!/bin/bash
# A sweep as an array of PBS: each task does its share of the runs, one after the other, and needs no other.
#   gridsim sweep study.toml --list           # finds every problem of the input in seconds
#   qsub -v study=study.toml pbs-array.sh
# Submitted again, it does what is missing. The table, when all is done: gridsim sweep study.toml --collect
# Change the 20 in both places. Torque has -t 1-20 for -J 1-20, and PBS_ARRAYID for PBS_ARRAY_INDEX.
#PBS -N gridsim
#PBS -J 1-20
#PBS -l select=1:ncpus=1:mem=2gb
#PBS -l walltime=04:00:00
#PBS -j oe
set -eu
cd "$PBS_O_WORKDIR"
gridsim sweep "${study:-study.toml}" --task "$PBS_ARRAY_INDEX/${tasks:-20}"
