"""What a run is given: seeds, limits, job.json and environment."""

import json
from dataclasses import replace

import msgspec

from lc_node.chain.params import DEVNET
from lc_node.chain.types import ByteCount, Digest, JobId, MillisSpan
from lc_node.worker.evaluation import mean_loss
from lc_node.worker.limits import (
    evaluate_limits,
    memory_limit,
    plain_evaluate_limits,
    predict_limits,
    train_limits,
    trial_limits,
)
from lc_node.worker.request import (
    Role,
    cpu_count,
    environment,
    job_document,
    plain_environment,
)
from lc_node.worker.seeds import evaluate_seed, train_seed
from tests.worker.samples import ME, RIVAL, SPEC

JOB = JobId(Digest(bytes(32)))
OTHER_JOB = JobId(Digest(b"\x01" * 32))


def test_training_seeds_differ_by_job_node_and_trial() -> None:
    seeds = {
        train_seed(job, node, trial)
        for job in (JOB, OTHER_JOB)
        for node in (ME, RIVAL)
        for trial in range(3)
    }

    assert len(seeds) == 12
    assert max(seeds) < 2**32


def test_seeds_stay_what_they_are() -> None:
    assert (train_seed(JOB, ME, 0), evaluate_seed(JOB)) == (SEED_OF_TRIAL_0, SEED_OF_EVALUATION)


SEED_OF_TRIAL_0 = 2946043642
SEED_OF_EVALUATION = 3982788745


def test_the_memory_limit_counts_two_models_and_the_scratch_space() -> None:
    assert memory_limit(SPEC) == 1_000 + 2 * 100 + 100


def test_a_training_may_outlive_its_span_by_the_grace_time_twice() -> None:
    assert train_limits(SPEC, MillisSpan(60_000)).wall == 60_000 + 2 * 10_000


def test_an_evaluation_may_take_as_long_as_the_window_for_verdicts_has_room_for() -> None:
    patience = DEVNET.commit_evaluations

    assert evaluate_limits(SPEC).wall == patience * 10_000


def test_a_job_document_says_what_the_contract_lists() -> None:
    document = json.loads(job_document(JOB, SPEC, Role.EVALUATE, seed=5))

    assert document == {
        "contract": "lc/1",
        "cpus": 1,
        "gpus": 0,
        "job": "00" * 32,
        "limits": {
            "disk_bytes": 100,
            "memory_bytes": 1_000,
            "model_bytes_max": 100,
            "seconds": 10,
        },
        "model_format": "skops",
        "role": "evaluate",
        "seed": 5,
    }


def test_the_node_s_environment_wins_over_the_image_s() -> None:
    built = environment(SPEC, {"OMP_NUM_THREADS": "64", "LANG": "C.UTF-8"}, seed=5)

    assert (built["OMP_NUM_THREADS"], built["LANG"], built["PYTHONHASHSEED"]) == (
        "1",
        "C.UTF-8",
        "5",
    )


def test_a_program_that_knows_nothing_of_us_is_told_its_seed_and_its_task() -> None:
    built = plain_environment(SPEC, {"VALIDATION": "x", "HOME": "/app"}, 5, Role.EVALUATE)

    assert (built["LC_SEED"], built["PYTHONHASHSEED"]) == ("5", "5")
    assert (built["VALIDATION"], built["HOME"]) == ("VALIDATION", "/app")


def test_a_program_that_is_to_train_is_not_told_to_evaluate() -> None:
    built = plain_environment(SPEC, {"VALIDATION": "VALIDATION"}, 5, Role.TRAIN)

    assert ("VALIDATION" in built, built["HOME"]) == (False, "/tmp")  # noqa: S108 - the job's


def test_a_program_that_knows_nothing_of_us_has_its_model_and_its_disk_in_tmp() -> None:
    limits = trial_limits(SPEC, MillisSpan(60_000))

    assert (limits.out_bytes, limits.scratch_bytes) == (100 + 100 + 2**20, 0)
    assert (limits.wall, limits.line_bytes) == (60_000, 2**20)


def test_its_evaluation_has_its_disk_in_tmp_and_as_much_time_as_any() -> None:
    limits = plain_evaluate_limits(SPEC)

    assert (limits.out_bytes, limits.wall) == (100, evaluate_limits(SPEC).wall)


def test_a_share_of_a_processor_is_one_thread() -> None:
    resources = msgspec.structs.replace(SPEC.resources, millicpus=200)

    assert cpu_count(msgspec.structs.replace(SPEC, resources=resources)) == 1


def test_a_mean_is_rounded_down() -> None:
    assert mean_loss((-1, 0)) == -1  # type: ignore[arg-type]


def test_a_prediction_has_the_limits_of_an_evaluation_and_room_for_what_it_predicts() -> None:
    predicting, evaluating = predict_limits(SPEC, ByteCount(4096)), evaluate_limits(SPEC)

    assert predicting.out_bytes == evaluating.out_bytes + 4096
    assert replace(predicting, out_bytes=evaluating.out_bytes) == evaluating
