"""The options of ``scriptrun run`` and its kind, and what they mean for the job."""
