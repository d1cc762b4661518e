def get_alphas():
    # list of numbers from 0.0 to 1.0 with a 0.2 interval
    return [round(each * 0.2, 2) for each in range(5)]
