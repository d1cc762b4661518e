def select(frame, columns):
    return frame[columns].fillna(frame[columns].mean())
