# f110_stubborn_folder [filesystem] a folder that does not want to go: immutable, unreadable, odd names, deep, many links
# expect: ok|error ; invariants: folder_gone
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

def immutable():
    with open("still.txt", "w") as f:
        f.write("x"); f.flush()
        fcntl.ioctl(f, 0x40086602, struct.pack("l", 0x10))  # FS_IOC_SETFLAGS, FS_IMMUTABLE_FL
safe(immutable)
for name in ("\u202etxt.exe", "a\nb", "\x1b[2J", "\u200d" * 60, "-rf", "é" * 100, "con", "a" * 255, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
    safe(lambda: open(name + ".txt" if len(name) < 200 else name, "w").write("x"))
    safe(lambda: os.mkdir("d" + name[:80]))
safe(lambda: open(b"\xff\xfe.txt", "w").write("x"))
def deep():
    for _ in range(600):
        os.mkdir("n" * 200); os.chdir("n" * 200)
    os.chmod("..", 0)
safe(deep)
here = os.environ.get("HOME", ".")
safe(os.chdir, here)
for n in range(300): safe(os.link, "main.py", f"link{n}.txt")
safe(os.symlink, C.get("secret_file", "/etc/passwd"), "secret.txt")
safe(os.rename, "main.py", "gone.txt")
safe(os.symlink, C.get("project_dir", "/"), "charts")
for folder in (".", here): safe(os.chmod, folder, 0)
