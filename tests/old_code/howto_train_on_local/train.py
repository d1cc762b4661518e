# Copyright (c) A Company. All rights reserved.
from azureml.core.run import Run
import os
import json
import mylib

os.makedirs('./outputs', exist_ok=True)

run = Run.get_context()
alphas = mylib.get_alphas()

for alpha in alphas:
    mse = (alpha - 0.4) ** 2 + 3000
    run.log('alpha', alpha)
    run.log('mse', mse)

    model_file_name = 'ridge_{0:.2f}.json'.format(alpha)
    # save model in the outputs folder so it automatically get uploaded
    with open(os.path.join('./outputs/', model_file_name), "w") as file:
        json.dump({'alpha': float(alpha)}, file)

    print('alpha is {0:.2f}, and mse is {1:0.2f}'.format(alpha, mse))
