# m105_kernel_objects [memory] kernel memory by small objects: timers, eventfds, epoll, inotify, locks
# expect: ok|error|mem|signal|timeout ; invariants: bounded_mem
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

def timers():
    event = struct.pack("Pii48x", 0, 0, 1); made = ctypes.c_int()
    count = 0
    while count < 50000 and l.timer_create(1, event, ctypes.byref(made)) == 0: count += 1
    print("timers", count)
safe(timers)
def objects():
    import select
    kept = []
    try:
        while len(kept) < 20000: kept += [os.eventfd(0), select.epoll()]
    except OSError as e: print("objects", len(kept), e)
safe(objects)
def watches():
    fd = l.inotify_init(); count = 0
    for n in range(5000):
        os.mkdir(f"w{n}") if n < 2000 else None
        if l.inotify_add_watch(fd, f"w{n % 2000}".encode(), 0xFFF) >= 0: count += 1
    print("watches", count)
safe(watches)
def locks():
    with open("locked", "wb") as f:
        for n in range(10000): fcntl.lockf(f, fcntl.LOCK_EX, 1, 2 * n)
    print("locks")
safe(locks)
