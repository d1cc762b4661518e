# 01-create-workspace.py
from azureml.core import Workspace

# Example locations: 'westeurope' or 'eastus2' or 'westus2' or 'southeastasia'.
ws = Workspace.create(name='first-ws',
                      subscription_id='00000000-1111-2222-3333-444444444444',
                      resource_group='first-rg',
                      create_resource_group=True,
                      location='westeurope')

# write out the workspace details to a configuration file: .azureml/config.json
ws.write_config(path='.azureml')
