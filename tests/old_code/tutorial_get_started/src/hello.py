# src/hello.py
print('hello world!')
