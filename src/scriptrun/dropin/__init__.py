"""The names of the Azure ML SDK v1, so that code written for it runs unchanged.

``import scriptrun.dropin``, as the first line of a program, makes ``azureml`` importable from here;
installed packages stay untouched. ``scriptrun exec`` does the same for a whole script. Names that
numpy, pandas, scikit-learn and Python have removed since then work, too.
"""

from __future__ import annotations

from scriptrun.dropin.finder import enable
from scriptrun.runtime.injob import compat_names

__all__ = ["enable"]

enable()
compat_names.install()
