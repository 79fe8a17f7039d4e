"""What a run needs is checked before it begins."""

import pytest

from ripeness.runtime.errors import UserError
from ripeness.workflow.run_conditions import check_gpus, check_storage


def test_a_method_that_wants_more_gpus_than_a_job_may_use_is_refused():
    check_gpus({"full": 4}, None)
    check_gpus({"full": 4}, 4)
    with pytest.raises(UserError, match=r"methods.full.gpu: 4 GPUs are requested, but jobs may use 1\nhint: .*gpu=4"):
        check_gpus({"full": 4}, 1)


def test_an_object_store_is_refused_with_what_to_do_instead():
    check_storage(None)
    with pytest.raises(UserError, match=r"provider s3: results cannot be in an object store.*\nhint: .*copy results/"):
        check_storage("s3")
