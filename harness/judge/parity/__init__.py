"""Does an engine compute the right thing? Its error against float64 in units of PyTorch float32's own error.

Pure functions of arrays. `docs/decisions/0004-parity-budgets.md` says where the budgets come from.
"""

from harness.judge.parity.budgets import BUDGET as BUDGET
from harness.judge.parity.budgets import UNIT_ROUNDOFF as UNIT_ROUNDOFF
from harness.judge.parity.budgets import budgets as budgets
from harness.judge.parity.dependence import independent_outputs as independent_outputs
from harness.judge.parity.diagnostics import diagnose as diagnose
from harness.judge.parity.drift import judge_drift as judge_drift
from harness.judge.parity.judging import judge_outputs as judge_outputs
from harness.judge.parity.judging import judge_parity as judge_parity
from harness.judge.parity.outputs import judge_output as judge_output
from harness.judge.parity.picture import error_picture as error_picture
from harness.judge.parity.signature import judge_arrays as judge_arrays
from harness.judge.parity.signature import judge_contract as judge_contract
from harness.judge.parity.summary import budget_use as budget_use
from harness.judge.parity.summary import summarise as summarise
from harness.judge.parity.summary import worst_of as worst_of
from harness.judge.parity.summary import worst_place as worst_place
from harness.judge.parity.summary import worst_ratio as worst_ratio
