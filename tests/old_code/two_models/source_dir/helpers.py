def scale(values, by):
    return [value * by for value in values]
