"""From a ScriptRunConfig to a run: checks, data binding, the job description."""
