# p117_stopped_and_timed [process] stopped children, timers that shoot at the group, and a grandchild that waits for the end
# expect: ok|error|signal|timeout ; invariants: no_survivor
import ctypes, fcntl, json, os, signal, socket, struct, sys, time
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno(), flush=True); return r

for n in range(8):
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 32):
            safe(signal.signal, number, signal.SIG_IGN) if number not in (9, 19) else None
        if n % 2: os.kill(os.getpid(), signal.SIGSTOP)
        while True: time.sleep(100)
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.01)
signal.signal(signal.SIGALRM, lambda *_: safe(os.kill, 0, signal.SIGCONT))
safe(os.kill, -1, signal.SIGSTOP)
time.sleep(0.6)
