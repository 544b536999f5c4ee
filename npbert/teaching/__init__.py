"""What the notebooks and a course need: a BERT small enough to read, and a grader that says why.

`toy` is a trained model of sixty tokens and sixteen dimensions; `npbert.check` runs a learner's
function inside it.
"""

from __future__ import annotations

from npbert.teaching.check import check as check
from npbert.teaching.exercises import EXERCISES as EXERCISES
from npbert.teaching.model import toy as toy
from npbert.teaching.verdict import Verdict as Verdict

__all__ = ["EXERCISES", "Verdict", "check", "toy"]
