import time
print("Wait for a while..")
time.sleep(600)
print("Exiting..")
