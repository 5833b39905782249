# m104_many_sockets [memory] socket pairs filled in many children
# expect: ok|error|mem|timeout ; invariants: bounded_mem
import json, os, sys, time, ctypes
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno()); return r
import socket
for child in range(40):
    if os.fork() == 0:
        keep = []
        for _ in range(110):
            try: a, b = socket.socketpair()
            except OSError: break
            keep += [a, b]
            for s in (a, b):
                s.setblocking(False)
                try:
                    while True: s.send(b"x" * 65536)
                except OSError: pass
        time.sleep(20); os._exit(0)
time.sleep(20)
