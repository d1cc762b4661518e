"""The server of a service, which runs in the model's environment (Python 3.6+, stdlib only).

The launcher starts ``entry.py`` in place of a script. It reads ``service.json`` in the run's folder
(``order``), starts the workers, and reports to ``service_state.json`` (``state``).
"""
