"""The names of the Azure ML SDK v1, so that code written for it runs as it is.

``import scriptrun.dropin``, as the first line of a program, makes ``azureml`` importable: it is
found here, and nowhere else is it touched. ``scriptrun exec`` does the same for a whole script.
Names that have gone from numpy, pandas, scikit-learn and Python since then are found, too.
"""

from __future__ import annotations

from scriptrun.dropin.finder import enable
from scriptrun.runtime.injob import compat_names

__all__ = ["enable"]

enable()
compat_names.install()
