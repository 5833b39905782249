# p115_execveat [process] execveat of nameless files: O_TMPFILE and descriptors of a shell
# expect: ok|error|signal ; invariants: no_secret,no_marker
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

secret, mark = C.get("secret_file", os.path.expanduser("~/.ssh/id_rsa")), C.get("marker_dir", "/tmp") + "/exec"
script = f"cat {secret}; echo x > {mark}; id".encode()
def run(fd):
    argv = (ctypes.c_char_p * 4)(b"sh", b"-c", script, None)
    env = (ctypes.c_char_p * 1)(None)
    if os.fork() == 0:
        call(322, 281, fd, b"", argv, env, 0x1000)  # AT_EMPTY_PATH
        os._exit(3)
    os.wait()
def nameless():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o700)
    os.write(fd, open("/bin/sh", "rb").read())
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY); os.close(fd)
    run(again)
safe(nameless)
safe(lambda: run(os.open("/bin/sh", os.O_RDONLY)))
safe(lambda: run(os.open("/bin/sh", os.O_PATH)))
safe(lambda: os.chmod("main.py", 0o4755))
