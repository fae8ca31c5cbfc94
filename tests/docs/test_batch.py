"""The stand-ins of sbatch and qsub: what they hold scripts to, and what jobs are given."""

import subprocess
from pathlib import Path

import batch as stand_in
import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "src" / "gridsim" / "templates" / "sweep"


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with stand_in.batch(tmp_path / "batch", tasks=2) as running:
        yield running


def call(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def script(text):
    Path("job.sh").write_text(text, encoding="utf-8")
    return "job.sh"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.sh")), ids=lambda path: path.name)
def test_directives_of_the_templates_are_known(path):
    text = path.read_text(encoding="utf-8")
    slurm = stand_in.slurm_options().parse_args(stand_in.directives(text, "#SBATCH"))
    pbs = stand_in.pbs_options().parse_args(stand_in.directives(text, "#PBS"))
    assert (slurm.job_name is not None) == path.name.startswith("slurm")
    assert (pbs.N is not None) == path.name.startswith("pbs")


@pytest.mark.parametrize(
    ("program", "line", "said"),
    [
        ("sbatch", "#SBATCH --cpu-per-task=1", "unrecognized arguments: --cpu-per-task=1"),
        ("sbatch", "#SBATCH --time=4h", "--time/-t: must be of the form"),
        ("sbatch", "#SBATCH --mem=2 GB", "unrecognized arguments: GB"),
        ("qsub", "#PBS -l select=1:ncpu=1", "argument -l: must be of the form"),
        ("qsub", "#PBS --array 1-2", "unrecognized arguments: --array"),
    ],
)
def test_a_directive_that_is_not_known_is_refused(jobs, program, line, said):
    refused = call(program, script(f"#!/bin/sh\n# text\n{line}\ntrue\n"))
    assert refused.returncode == 2
    assert said in refused.stderr
    assert len(jobs) == 0


def test_tasks_of_an_array_and_what_comes_after_them(jobs):
    path = script(
        "#!/bin/sh\n#SBATCH --array=1-20\n#SBATCH --output=log-%A_%a\n"
        "echo $SLURM_ARRAY_TASK_ID $1 $SLURM_JOB_ID >> seen\n#SBATCH --no-directive\n"
    )
    first = call("sbatch", "--parsable", path, "x")
    after = call("sbatch", f"--dependency=afterany:{first.stdout.strip()}", "--wrap", "sort -r seen > sorted")
    assert (first.stdout, after.stdout) == ("1\n", "Submitted batch job 2\n")
    jobs.settle()
    assert Path("sorted").read_text() == "2 x 1\n1 x 1\n"
    assert sorted(path.name for path in Path().glob("log-*")) == ["log-1_1", "log-1_2"]


def test_a_job_of_pbs_begins_elsewhere_with_what_v_names(jobs):
    path = script("#!/bin/sh\n#PBS -J 1-20\n#PBS -N name\npwd > $PBS_O_WORKDIR/place\necho $a $PBS_ARRAY_INDEX\n")
    assert call("qsub", "-v", "a=b", path).stdout == "1[].here\n"
    jobs.settle()
    assert Path("place").read_text().strip() != str(Path.cwd())
    assert [Path(f"name.o1.{k}").read_text() for k in (1, 2)] == ["b 1\n", "b 2\n"]


def test_a_job_that_fails_is_told_with_its_log(jobs):
    call("sbatch", script("#!/bin/sh\necho words\nexit 3\n"))
    with pytest.raises(AssertionError, match=r"job 1 ended with 3\nwords"):
        jobs.settle()


def test_a_job_that_is_cancelled_has_ended(jobs):
    call("sbatch", script("#!/bin/sh\nsleep 600\n"))
    call("scancel", "1")
    jobs.settle(5.0)
