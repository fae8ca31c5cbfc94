#!/bin/bash
# A sweep in one job of several nodes: the scheduler of Dask here, a worker on each core of every node.
#   sbatch slurm-nodes.sh study.toml
# On PBS the same with its own header, and pbsdsh or mpiexec in the place of srun.
# Anyone who reaches the port may use the workers: on shared networks rather slurm-array.sh, or slurm-dask.sh, which has keys.
#SBATCH --job-name=gridsim-nodes
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --output=sweep-%j.log
set -eu
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
export DASK_CONFIG="${DASK_CONFIG:-$(dirname "${1:-study.toml}")/dask.yaml}"  # beside the study
port=$((20000 + SLURM_JOB_ID % 20000))
address="tcp://$(hostname):$port"
dask scheduler --port "$port" --no-dashboard > scheduler.log 2>&1 &
srun dask worker "$address" --nthreads 1 --memory-limit 2GB --no-dashboard --local-directory "${TMPDIR:-/tmp}" > workers.log 2>&1 &
gridsim sweep "${1:-study.toml}" --scheduler "$address"
