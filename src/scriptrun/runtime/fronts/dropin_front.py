"""The module ``scriptrun.dropin`` in a job (Python 3.6+): this file is copied there.

A job finds the names of ``azureml`` without it. Importing it restores names that newer packages
have lost, as it does in the code that submits.
"""

from scriptrun.runtime.injob import compat_names

compat_names.install()
