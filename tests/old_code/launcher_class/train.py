import argparse
from pkg.tracking import Tracker

def main():
    p = argparse.ArgumentParser(); p.add_argument("--n", type=int, default=1); p.add_argument("--flag", action="store_true")
    a = p.parse_args()
    t = Tracker()
    t.log(n=a.n, flag=int(a.flag))
    t.parent_log("child n", a.n)

if __name__ == "__main__":
    main()
