"""Does an engine still do the task as well as the reference? Pure functions of the answers item by item."""

from harness.judge.accuracy.judgement import MARGIN as MARGIN
from harness.judge.accuracy.judgement import AccuracyJudgement as AccuracyJudgement
from harness.judge.accuracy.judgement import MetricFigures as MetricFigures
from harness.judge.accuracy.judging import REFERENCE as REFERENCE
from harness.judge.accuracy.judging import accuracy_fails as accuracy_fails
from harness.judge.accuracy.judging import judge_accuracies as judge_accuracies
from harness.judge.accuracy.judging import judge_accuracy as judge_accuracy
