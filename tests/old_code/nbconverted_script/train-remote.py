#!/usr/bin/env python
# coding: utf-8

# # Train remotely
# In[1]:


get_ipython().run_line_magic('matplotlib', 'inline')
import os
import azureml.core
from azureml.core import Workspace, Experiment, ScriptRunConfig
from azureml.core.runconfig import RunConfiguration, DEFAULT_CPU_IMAGE
from azureml.core.conda_dependencies import CondaDependencies


# In[2]:


get_ipython().system('mkdir -p project')
get_ipython().run_cell_magic('writefile', 'project/train.py', 'import sys\nfrom azureml.core import Run\nrun = Run.get_context()\nrun.log("answer", 42)\nprint("args", sys.argv[1:])\n')


# In[3]:


ws = Workspace.from_config()
run_config = RunConfiguration(framework="python")
run_config.target = "cpu-cluster"
run_config.environment.docker.enabled = True
run_config.environment.docker.base_image = DEFAULT_CPU_IMAGE
run_config.environment.docker.gpu_support = False
run_config.auto_prepare_environment = True
run_config.environment.python.user_managed_dependencies = False
run_config.environment.python.conda_dependencies = CondaDependencies.create(conda_packages=['six'], pip_packages=['azureml-defaults'])
run_config.amlcompute.vm_size = 'STANDARD_D2_V2'
run_config.history.output_collection = True
src = ScriptRunConfig(source_directory='project', script='train.py', run_config=run_config, arguments=['--alpha', '.5', '-v'])
run = Experiment(ws, 'remote').submit(src)
run.wait_for_completion(show_output=True)
assert run.get_status() == 'Completed', run.get_status()
run
