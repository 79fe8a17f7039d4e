"""What a run needs is checked before it begins."""

import pytest

from ripeness.runtime.errors import UserError
from ripeness.workflow.run_conditions import check_gpus


def test_a_method_that_wants_more_gpus_than_a_job_may_use_is_refused():
    check_gpus({"full": 4}, None)
    check_gpus({"full": 4}, 4)
    with pytest.raises(UserError, match=r"methods.full.gpu: 4 GPUs are wanted, but jobs may use 1\nhint: .*gpu=4"):
        check_gpus({"full": 4}, 1)
