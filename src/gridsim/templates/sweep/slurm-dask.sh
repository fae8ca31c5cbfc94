#!/bin/bash
# A sweep on SLURM through Dask: this job hands out runs, each worker is a job of its own, submitted from here. A run
# whose job dies is done by another; jobs that end while there are runs left are submitted again.
#   sbatch slurm-dask.sh study.toml 20
# Or on a login node that allows it: bash slurm-dask.sh study.toml 20
# What your site asks for (queue, account, ...) goes into options, or once for all into ~/.config/dask/jobqueue.yaml.
#SBATCH --job-name=gridsim-sweep
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=24:00:00
#SBATCH --output=sweep-%j.log
set -eu
options=(
  --slurm-option walltime=04:00:00
  # --slurm-option queue=normal
  # --slurm-option account=project
  # --slurm-option interface=ib0
)
gridsim sweep "${1:-study.toml}" --slurm --workers "${2:-20}" --memory 2GB "${options[@]}"
