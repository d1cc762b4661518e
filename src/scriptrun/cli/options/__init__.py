"""The options of commands that submit jobs, and how they configure the job."""
