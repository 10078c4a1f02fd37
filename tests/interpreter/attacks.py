"""Attacks on the sandbox, as data: what a snippet tries, and what must come of it.

Each runs in a child of a state in which `canary = 42`. Afterwards a sibling must still see that canary, and nothing
else. `expect` is matched against `status|text`.
"""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from typing import NamedTuple


class Attack(NamedTuple):
    """One attempt.

    Attributes:
        group: what it is after.
        name: unique.
        code: the cell.
        expect: a regular expression that matches all of `status|text`.
        before: cells that run before it, in the same branch.
    """

    group: str
    name: str
    code: str
    expect: str
    before: tuple[str, ...] = ()


DENIED = r"error\|(PermissionError|OSError|FileNotFoundError|URLError): .*"
NO_FILE = r"error\|(PermissionError: \[Errno 1\d?\]|FileNotFoundError|OSError: \[Errno (16|22|27|28|30)\]).*"
DEAD = r"killed\|KilledError: .*"
LATE = r"timeout\|TimeoutError: 'Execution of the code snippet has timed out for exceeding [\d.]+ seconds.'"
TOO_BIG = r"error\|MemoryError:.*"

_CALLS = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"


def _many(group: str, expect: str, **codes: str) -> list[Attack]:
    return [Attack(group, f"{group}: {name}", code, expect) for name, code in codes.items()]


TIME = [
    *_many(
        "time",
        LATE,
        loop="while True: pass",
        sleep="import time\ntime.sleep(10**6)",
        regex="import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')",
        sum="sum(range(10**14))",
        swallow="while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
        forever_in_str="class A:\n    def __str__(self):\n        while True: pass\nA()",
        forever_in_error="class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        forever_in_finally="try:\n    1 / 0\nfinally:\n    while True: pass",
        forever_in_compare="class A:\n    def __lt__(self, o):\n        while True: pass\nsorted([A(), A()])",
        wait_for_lock="import threading\nthreading.Lock().acquire() and threading.Event().wait()",
        ignore_signals="import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        join_thread="import threading\ndef f():\n    while True: pass\nt = threading.Thread(target=f)\nt.start()\nt.join()",
        select_forever="import select\nselect.select([], [], [])",
        no_switch="import sys, threading\nsys.setswitchinterval(1e9)\ndef f():\n    while True: pass\n"
        "threading.Thread(target=f).start()\nwhile True: pass",
        import_forever="import sys\nclass Finder:\n    def find_spec(self, *a):\n        while True: pass\n"
        "sys.meta_path.insert(0, Finder())\nimport nonexistent_module",
        forever_in_del="class A:\n    def __del__(self):\n        while True: pass\na = A()\ndel a",
        read_own_socket="import os\nos.read(63, 1)",
    ),
    *_many("time", rf"{LATE}|{DEAD}|{TOO_BIG}", big_power="x = 7 ** (10 ** 10)"),
]

MEMORY = [
    *_many(
        "memory",
        rf"{TOO_BIG}|{LATE}",  # a slow machine may not get that far in time
        bytes="bytearray(10**11)",
        string="'a' * 10**11",
        list="x = []\nwhile True:\n    x.append(bytearray(10**7))",
        list_of_lists="x = [[0] * 10**6 for _ in range(10**6)]",
        doubling="x = 'ab'\nwhile True:\n    x = x + x",
        dict="x = {}\nwhile True:\n    x[len(x)] = bytearray(10**7)",
        set_of_ranges="list(range(10**10))",
        tuple_repeat="(1,) * 10**11",
        exception_chain="x = [None] * 10**11",
    ),
    *_many(
        "memory",
        rf"{DEAD}|{TOO_BIG}|{LATE}|error\|(RecursionError|SyntaxError).*|ok\|.*",
        swallowed="x = []\nwhile True:\n    try:\n        x.append(bytearray(10**6))\n    except MemoryError:\n        pass",
        recursion="import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1) + 1\nf(0)",
        nested_brackets="eval('(' * 10**5 + ')' * 10**5)",
        nested_list="x = []\nfor _ in range(10**6): x = [x]\nstr(x)",
        deep_repr="import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
    ),
    *_many(
        "memory",
        r"ok\|0",
        malloc=_CALLS + "libc.malloc.restype = ctypes.c_void_p\nlibc.malloc.argtypes = [ctypes.c_size_t]\n"
        "kept = [libc.malloc(1 << 28) for _ in range(64)]\nsum(1 for k in kept[-8:] if k)",
        hold_memory="x = bytearray(5 * 10**7)\nsum(x[::4096])",
    ),
    *_many(
        "memory",
        r"error\|(PermissionError|OSError|FileNotFoundError|MemoryError|ValueError).*",
        shared_map="import mmap\nmmap.mmap(-1, 4096)",
        private_map="import mmap\nmmap.mmap(-1, 10**11, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
        huge_page_map="import mmap\nmmap.mmap(-1, 1 << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)",
        memfd="import os\nos.memfd_create('x')",
        shared_memory="from multiprocessing import shared_memory\nshared_memory.SharedMemory(create=True, size=10**6)",
        more_memory="import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        more_files="import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (10**5, 10**5))",
        more_cpu="import resource\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
    ),
]

PROCESSES = [
    *_many(
        "processes",
        DENIED,
        fork="import os\nos.fork()",
        forkpty="import os\nos.forkpty()",
        subprocess="import subprocess\nsubprocess.run(['/bin/sh', '-c', 'true'])",
        popen="import os\nos.popen('true').read()",
        posix_spawn="import os\nos.posix_spawn('/bin/true', ['true'], {})",
        spawn="import os\nos.spawnv(os.P_NOWAIT, '/bin/true', ['true'])",
        exec="import os\nos.execv('/bin/sh', ['sh'])",
        exec_python="import os, sys\nos.execv(sys.executable, ['python'])",
        exec_loader="import os\nos.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/true'])",
        process="import multiprocessing as m\np = m.get_context('fork').Process(target=print)\np.start()",
        pty="import pty\npty.spawn('/bin/sh')",
        asyncio="import asyncio\nasync def f():\n    await asyncio.create_subprocess_exec('/bin/true')\nasyncio.run(f())",
        fork_in_except="import os\ntry:\n    os.fork()\nexcept OSError:\n    os.fork()",
        fork_in_thread="import os, threading\nerrors = []\ndef f():\n    try: os.fork()\n    except OSError as e: errors.append(e)\n"
        "t = threading.Thread(target=f)\nt.start()\nt.join()\nraise errors[0]",
    ),
    *_many(
        "processes",
        r"error\|.*",
        pool="import multiprocessing as m\nm.Pool(2).map(abs, [1])",
        executor="import concurrent.futures as c\nwith c.ProcessPoolExecutor(1) as e:\n    e.submit(abs, 1).result(1)",
    ),
    *_many("processes", r"ok\|(-1|32512)", system="import os\nos.system('true')"),
    Attack(
        "processes",
        "processes: guess the token of a fork",
        _CALLS + "{libc.syscall(ctypes.c_long(56), ctypes.c_ulong(0x8011), 0, 0, ctypes.c_ulong(t), ctypes.c_ulong(t))"
        " for t in range(300)}, ctypes.get_errno()",
        r"ok\|\(\{-1\}, 1\)",
    ),
    Attack(
        "processes",
        "processes: use the harness's own fork",
        "import sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
        "fork = f.f_globals['fork']\nfork.clone(0x8000, int.from_bytes(fork._page[96:104], 'little'))",
        DENIED,
    ),
    Attack(
        "processes",
        "processes: thread bomb",
        "import threading, time\nn = 0\ntry:\n    while True:\n"
        "        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n        n += 1\n"
        "except RuntimeError:\n    pass\nprint(n <= 64)",
        r"ok\|True",
    ),
    Attack(
        "processes",
        "processes: threads that make threads",
        "import threading\ndef f():\n    try:\n        threading.Thread(target=f, daemon=True).start()\n"
        "    except RuntimeError:\n        pass\nf()\nimport time\ntime.sleep(0.2)\nthreading.active_count() <= 65",
        r"ok\|True",
    ),
]

_COUNT = "import threading, time\nn = 0\nlock = threading.Lock()\ndef count():\n    global n\n    with lock: n += 1\n"
PROCESSES += [
    *_many(
        "processes",
        r"ok\|(True|7)",
        tree_of_threads=_COUNT + "def f():\n    try:\n        for _ in range(99):\n"
        "            threading.Thread(target=f, daemon=True).start()\n            count()\n"
        "    except RuntimeError: pass\n    time.sleep(1)\nf()\ntime.sleep(0.5)\nn <= 64",
        fan_of_threads=_COUNT + "def g(): time.sleep(1)\ndef f():\n    try:\n        while True:\n"
        "            threading.Thread(target=g, daemon=True).start()\n            count()\n    except RuntimeError: pass\n"
        "for _ in range(8):\n    try:\n        threading.Thread(target=f, daemon=True).start()\n        count()\n"
        "    except RuntimeError: pass\ntime.sleep(0.5)\nn <= 64",
        threads_by_hand=_COUNT + "import _thread\ndef f():\n    try:\n        while True:\n"
        "            _thread.start_new_thread(f, ())\n            count()\n    except RuntimeError: pass\n"
        "    time.sleep(1)\nf()\nn <= 64",
        main_thread_leaves="import _thread, threading, time\nn = 0\ndef f():\n    global n\n    for _ in range(99):\n"
        "        try: _thread.start_new_thread(time.sleep, (1,))\n        except RuntimeError: return\n        n += 1\n"
        "t = threading.Thread(target=f)\nt.start()\nt.join()\nn <= 64",
    ),
]

EXIT = [
    *_many(
        "exit",
        DEAD,
        os_exit="import os\nos._exit(0)",
        os_exit_odd="import os\nos._exit(139)",
        abort="import os\nos.abort()",
        null="import ctypes\nctypes.string_at(0)",
        exit_group=_CALLS + "libc.syscall(231 if __import__('platform').machine() == 'x86_64' else 94, 0)",
        exit_of_c=_CALLS + "libc.exit(0)",
        jump=_CALLS + "ctypes.CFUNCTYPE(None)(16)()",
        fault="import faulthandler\nfaulthandler._read_null()",
        exit_in_thread="import os, threading\nt = threading.Thread(target=os._exit, args=(0,))\nt.start()\nt.join()",
        alarm="import signal, time\nsignal.alarm(1)\ntime.sleep(9)",
        smash_heap=_CALLS + "ctypes.memset(id(None), 255, 1 << 16)\nNone",
        cpu_limit="import resource\nresource.setrlimit(resource.RLIMIT_CPU, (0, 0))\nwhile True: pass",
    ),
    *_many(
        "exit",
        r"error\|(SystemExit|KeyboardInterrupt|GeneratorExit|BaseException|Evil):.*",
        exit="exit()",
        quit="quit()",
        sys_exit="import sys\nsys.exit(3)",
        system_exit="raise SystemExit('x')",
        ctrl_c="raise KeyboardInterrupt",
        generator_exit="raise GeneratorExit",
        base="raise BaseException('x')",
        evil="class Evil(BaseException):\n    def __str__(self): raise Evil\nraise Evil",
    ),
    *_many(
        "exit",
        r"ok\|1",
        atexit="import atexit, os\natexit.register(os._exit, 1)\n1",
        del_exit="import os\nclass A:\n    def __del__(self): os._exit(1)\nkept = A()\n1",
        excepthook="import sys\nsys.excepthook = lambda *a: exit()\n1",
    ),
]

OUTPUT = [
    *_many(
        "output",
        r"ok\|a{250}\.\.\.a{249,250}",
        long="print('a' * 10**7)",
        many="for _ in range(10**5): print('a' * 40, end='')",
        value="'a' * 10**7",
    ),
    *_many(
        "output",
        r"ok\|7",
        to_fd_1="import os\nos.write(1, b'leak')\n7",
        to_fd_2="import os\nos.write(2, b'leak')\n7",
        to_real_stdout="import sys\nsys.__stdout__.write('leak')\nsys.__stderr__.write('leak')\n7",
        close_stdout="import sys\nsys.stdout.close()\n7",
        no_stdout="import sys\nsys.stdout = None\n7",
        delete_stdout="import sys\ndel sys.stdout\n7",
        from_c=_CALLS + "libc.puts(b'leak')\nlibc.fflush(None)\n7",
        other_print="import builtins\nbuiltins.print = lambda *a: 1 / 0\n7",
        displayhook="import sys\nsys.displayhook = lambda v: 1 / 0\n7",
        close_fds="import os\nfor fd in range(3):\n    os.close(fd)\n7",
    ),
    *_many("output", r"ok\|\?", surrogate="'\\ud800'"),
    *_many("output", r"ok\|a\x00b", nul="'a\\0b'"),
    *_many("output", r"ok\|.{0,4003}", many_prints="\n".join("print('a' * 10**4)" for _ in range(300))),
    *_many("output", r"error\|SystemError:", evil_str="class A:\n    def __str__(self): raise SystemError\nA()"),
    *_many(
        "output",
        r"error\|ValueError: Exceeds the limit .*",
        many_digits="10 ** 5000",
        many_digits_inside="{1: [10 ** 5000]}",
        evil_repr="class A:\n    def __repr__(self): raise ValueError('Exceeds the limit of patience')\nA()",
        evil_repr_inside="class A:\n    def __repr__(self): raise ValueError('Exceeds the limit of patience')\n[A()]",
    ),
    *_many(
        "output",
        r"error\|.{1,503}",
        error_is_long="raise ValueError('a' * 10**7)",
        error_of_two_parts="raise ValueError('a' * 10**6, 'b' * 10**6)",
        key_error="{}['a' * 10**6]",
        long_name="raise type('E' * 10**6, (Exception,), {})('a' * 10**6)",
        error_in_repr="class A:\n    def __repr__(self): raise ValueError('a' * 10**6)\nA()",
        forged_error="import os, struct\nos.write(63, struct.pack('<BI', 2, 501) + b'f' + b'a' * 500)\nos._exit(0)",
    ),
    *_many(
        "output",
        rf"before\n{LATE[9:]}".replace("before", r"timeout\|before"),
        kept_at_a_loop="print('before')\nwhile True: pass",
        kept_in_c="print('before', end='')\nsum(range(10**14))",
        kept_in_a_function="def f():\n    print('before')\n    while True: pass\nf()",
        kept_while_asleep="import time\nprint('before')\nx = 1\ntime.sleep(99)",
        kept_though_swallowed="print('before')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ),
    *_many(
        "output",
        rf"timeout\|(a{{1,250}}.{{3}}a{{250}}|a{{1,500}})\n{LATE[9:]}",
        kept_in_bounds="while True: print('a' * 1000, end='')",
    ),
    *_many(
        "output",
        rf"{DEAD}|killed\|a{{250}}\.\.\.a{{250}}\n{DEAD[8:]}",
        printed_flood="import os, struct\nwhile True: os.write(63, struct.pack('<BI', 3, 500) + b'a' * 500)",
        printed_nothing="import os, struct\nwhile True: os.write(63, struct.pack('<BI', 3, 0) * 1000)",
        printed_giant="import os, struct\nos.write(63, struct.pack('<BI', 3, 2**32 - 1))\nwhile True: pass",
    ),
    *_many(
        "output",
        r"ok\|7",
        text_that_lies="class S(str):\n    def __str__(self): return self\n    def __getitem__(self, i): return 'x' * 10**4\n"
        "print(S('abc'))\n7",
    ),
    *_many("output", r"error\|TypeError.*|ok\|", str_no_str="class A:\n    def __str__(self): return 3\nA()"),
]

FILES = [
    *_many(
        "files",
        NO_FILE,
        secret="open('@SECRET@').read()",
        overwrite="open('@SECRET@', 'w')",
        append="open('@SECRET@', 'a')",
        remove="import os\nos.remove('@SECRET@')",
        chmod="import os\nos.chmod('@SECRET@', 0o777)",
        rename="import os\nos.rename('@SECRET@', '@SECRET@2')",
        link="import os\nos.link('@SECRET@', '@SECRET@2')",
        symlink="import os\nos.symlink('@SECRET@', '/tmp/new-link')",
        utime="import os\nos.utime('@SECRET@')",
        truncate="import os\nos.truncate('@SECRET@', 0)",
        list_folder="import os\nos.listdir('@FOLDER@')",
        new_file="open('/tmp/new-i', 'w')",
        new_in_home="import os\nopen(os.path.expanduser('~/new-x'), 'w')",
        shadow="open('/etc/shadow').read()",
        passwd="open('/etc/passwd').read()",
        shm="open('/dev/shm/new-x', 'w')",
        mem="open('/dev/mem', 'rb')",
        kmsg="open('/dev/kmsg', 'rb')",
        tty="open('/dev/tty', 'rb')",
        mkdir="import os\nos.mkdir('/tmp/new-d')",
        mknod="import os, stat\nos.mknod('/tmp/new-n', 0o600 | stat.S_IFBLK, 8)",
        fifo="import os\nos.mkfifo('/tmp/new-f')",
        chroot="import os\nos.chroot('/')",
        spoil_library="import os\nopen(os.__file__, 'a')",
        remove_library="import os\nos.remove(os.__file__)",
        spoil_null="import os\nos.remove('/dev/null')",
        environ="open('/proc/self/environ').read()",
        parent_environ="import os\nopen(f'/proc/{os.getppid()}/environ').read()",
        root_of_parent="import os\nos.listdir('/proc/1/root')",
        sysrq="open('/proc/sysrq-trigger', 'w')",
        core_pattern="open('/proc/sys/kernel/core_pattern', 'w')",
        cgroup="open('/sys/fs/cgroup/cgroup.procs', 'w')",
        list_root="import os\nos.listdir('/')",
        up="import os\nos.chdir('/..')\nos.listdir('..')",
        sqlite="import os\nos.open('/tmp/new-x.db', os.O_RDWR | os.O_CREAT)",
        unnamed="import os\nos.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
        own_memory="open('/proc/self/mem', 'rb')",
        xattr="import os\nos.setxattr('@SECRET@', 'user.x', b'')",
        chown="import os\nos.chown('@SECRET@', 0, 0)",
        list_tmp="import os\nos.listdir('/tmp')",
    ),
    *_many(
        "files",
        r"ok\|\{\}|ok\|\[\]",
        environment="import os\n{k: v for k, v in os.environ.items() if 'SECRET' in k or 'canary-in-env' in v}",
        arguments="import sys\n[a for a in sys.argv if a]",
    ),
    *_many(
        "files",
        rf"ok\|5|{NO_FILE}",  # without namespaces there are no temporary files
        new_here="with open('new-x', 'w') as f:\n    n = f.write('hello')\nn",
        tempfile="import tempfile\nwith tempfile.NamedTemporaryFile() as f:\n    n = f.write(b'hello')\nn",
        temporary_folder="import os, tempfile\nwith tempfile.TemporaryDirectory() as d:\n"
        "    with open(os.path.join(d, 'x'), 'w') as f:\n        n = f.write('hello')\nn",
        database="import sqlite3\nc = sqlite3.connect(':memory:')\nc.execute('select 5').fetchone()[0]",
    ),
    *_many(
        "files",
        NO_FILE,
        list_siblings="import os\nos.listdir('..') if os.getcwd() != '/' else os.listdir('/tmp')",
        beside="open('../known', 'w')",
        folder_beside="import os\nos.mkdir('../known')",
        open_the_door="import os\nos.chmod('..', 0o777)",
        open_the_door_by_descriptor="import os\nos.fchmod(os.open('..', os.O_PATH), 0o777)",
        move_out="import os\nos.rename('.', '../known')",
        link_out="import os\nos.symlink('/', 'root')",
        hard_link="import os\nos.link(os.__file__, 'copy')",
        make_device="import os, stat\nos.mknod('disk', 0o600 | stat.S_IFBLK, 8)",
        make_pipe="import os\nos.mkfifo('pipe')",
        fill="import os\nfor i in range(99):\n    with open(str(i), 'wb') as f: f.write(bytes(1 << 20))",
        one_big_file="with open('x', 'wb') as f:\n    for _ in range(99): f.write(bytes(1 << 20))",
        sparse="import os\nwith open('x', 'wb') as f: f.truncate(1 << 40)",
        many_files="for i in range(10**4):\n    with open(str(i), 'wb') as f: pass",
        many_folders="import os\nfor i in range(10**4): os.mkdir(str(i))",
        other_user="import os\nos.setxattr('.', 'user.x', b'')",
    ),
    *_many(
        "files",
        rf"error\|OSError: \[Errno 36\] .*|{NO_FILE}",
        deep_folders="import os\nfor i in range(10**3):\n    os.mkdir('a' * 200)\n    os.chdir('a' * 200)\n7",
    ),
    *_many(
        "files",
        rf"{DEAD}|ok\|7|{NO_FILE}",
        no_rights="import os\nos.mkdir('x', 0)\n7",
        no_rights_file="import os\nos.close(os.open('x', os.O_CREAT | os.O_WRONLY, 0))\n7",
        leave_and_die="import os\nos.mkdir('x')\nopen('x/y', 'w').write('z' * 10**6)\nos._exit(0)",
    ),
    *_many("files", r"ok\|5", null_works="with open('/dev/null', 'w') as f:\n    n = f.write('hello')\nn"),
]

NETWORK = [
    *_many(
        "network",
        DENIED,
        tcp="import socket\nsocket.socket()",
        tcp6="import socket\nsocket.socket(socket.AF_INET6)",
        udp="import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        unix="import socket\nsocket.socket(socket.AF_UNIX)",
        netlink="import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        packet="import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        vsock="import socket\nsocket.socket(40, socket.SOCK_STREAM)",
        algorithm="import socket\nsocket.socket(38, socket.SOCK_SEQPACKET)",
        connect="import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 1)",
        datagram_pair="import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '@UNIX@')",
        pair_to_path="import socket\nsocket.socketpair()[0].sendto(b'x', '@UNIX@')",
        out_of_band="import socket\nsocket.socketpair()[0].send(b'x', socket.MSG_OOB)",
        out_of_band_to_the_host="import os, socket\nsocket.socket(fileno=os.dup(63)).send(b'x', socket.MSG_OOB)",
        receive_out_of_band="import socket\nsocket.socketpair()[0].recv(1, socket.MSG_OOB | socket.MSG_DONTWAIT)",
        receive_a_message_out_of_band="import socket\nsocket.socketpair()[0].recvmsg(1, 0, socket.MSG_OOB | socket.MSG_DONTWAIT)",
        reconnect_pair="import socket\nsocket.socketpair()[0].connect('@UNIX@')",
        bind_own="import socket\nsocket.socket(fileno=__import__('os').dup(63)).bind('/tmp/s')",
        url="import urllib.request\nurllib.request.urlopen('http://127.0.0.1:@PORT@', timeout=1)",
        server="import socketserver\nsocketserver.TCPServer(('', 0), None)",
    ),
    *_many("network", r"error\|.*", name="import socket\nsocket.getaddrinfo('example.com', 80)"),
]

HARNESS = [
    *_many(
        "harness",
        r"ok\|forged",
        forged="import os, struct\nos.write(63, struct.pack('<BI', 2, 7) + b'oforged')\nos._exit(0)",
        forged_then_waits="import os, struct, time\nos.write(63, struct.pack('<BI', 2, 7) + b'oforged')\ntime.sleep(60)",
    ),
    *_many(
        "harness",
        DEAD,
        giant="import os, struct\nos.write(63, struct.pack('<BI', 2, 2**32 - 1) + b'x' * 10**5)\nwhile True: pass",
        empty="import os, struct\nos.write(63, struct.pack('<BI', 2, 0))\nwhile True: pass",
        greeting="import os, struct\nos.write(63, struct.pack('<BI', 1, 0))\nwhile True: pass",
        noise="import os\nfor fd in range(64):\n    try: os.write(fd, b'\\xff' * 4096)\n    except OSError: pass",
        flood="import os\nwhile True:\n    os.write(63, b'\\xfe' * 60000)",
        close_socket="import os\nos.closerange(0, 64)",
        shut_socket="import socket\nsocket.socket(fileno=63).shutdown(socket.SHUT_RDWR)\nwhile True: pass",
        cover_socket="import os\nos.dup2(0, 63)",
        no_sendall="import sys\nf = sys._getframe()\nwhile 'sock' not in f.f_locals: f = f.f_back\n"
        "f.f_locals['sock'].close()",
        break_wire="import sys\nf = sys._getframe()\nwhile 'wire' not in f.f_globals: f = f.f_back\n"
        "f.f_globals['wire'].REPLY = None",
        break_exit="import sys, os\nf = sys._getframe()\nwhile 'wire' not in f.f_globals: f = f.f_back\n"
        "os._exit = lambda c: None\nf.f_globals['wire'].REPLY = None",
    ),
    *_many("harness", LATE, half="import os\nos.write(63, b'\\x02\\x05')\nwhile True: pass"),
    *_many(
        "harness",
        r"ok\|forg?",
        spoiled_text="import sys\nf = sys._getframe()\nwhile 'cell' not in f.f_globals: f = f.f_back\n"
        "f.f_globals['cell'].Shown.text = property(lambda s: 'forg')\nf.f_globals['cell'].Shown.failed = False\n1",
    ),
    *_many(
        "harness",
        r"ok\|7",
        len="import builtins\nbuiltins.len = lambda x: 1 / 0\n7",
        str="import builtins\nbuiltins.str = None\n7",
        exceptions="import builtins\nbuiltins.BaseException = builtins.Exception = int\n7",
        no_builtins="import builtins\nfor n in ['isinstance', 'map', 'any', 'enumerate', 'open']: delattr(builtins, n)\n7",
        no_modules="import sys\nsys.modules.clear()\n7",
        os="import os\nos.write = os.close = os.dup2 = os.closerange = lambda *a: 1 / 0\n7",
        json="import json\njson.dumps = json.loads = lambda *a: 1 / 0\n7",
        socket_class="import socket\nsocket.socket = None\n7",
        gc_off="import gc\ngc.disable()\ngc.set_threshold(0)\n7",
        gc_hook="import gc\ngc.callbacks.append(lambda *a: 1 / 0)\n7",
        profile="import sys\nsys.setprofile(lambda *a: None)\n7",
        trace="import sys\nsys.settrace(lambda *a: None)\n7",
        signals="import signal\nsignal.signal(signal.SIGALRM, lambda *a: exit())\nsignal.setitimer(0, 0.3)\n7",
        no_sandbox_module="import sys\n7 if not [m for m in sys.modules if 'sandbox' in m or 'mcts' in m] else sys.modules",
        no_secret_on_heap="import gc\n"
        "marker = 'canary-' + 'in-host'\n"
        "7 if not [o for o in gc.get_objects() if isinstance(o, dict) and o is not globals() and marker in map(str, o.values())] else 8",
        threads_left="import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n7",
    ),
]

STATE = [
    *_many(
        "state",
        r"ok\|42",
        variable="canary",
        delete="del canary\nglobals()['canary'] = 42\ncanary",
        late_import="import fractions\nint(fractions.Fraction(84, 2))",
    ),
    Attack("state", "state: half a cell", "canary", r"ok\|43", ("canary += 1\n1 / 0",)),
    Attack("state", "state: after a timeout", "canary", r"ok\|42", ("canary = 0\nwhile True: pass",)),
    Attack("state", "state: after a crash", "canary", r"ok\|42", ("canary = 0\nimport os\nos._exit(0)",)),
    Attack("state", "state: after exit()", "canary", r"ok\|0", ("canary = 0\nexit()",)),
    Attack("state", "state: after a thread bomb", "canary", r"ok\|0", (
        "import threading, time\ncanary = 0\nfor _ in range(20):\n    threading.Thread(target=time.sleep, args=(60,)).start()",
    )),
    Attack("state", "state: a thread does not go on", "a = n\nimport time\ntime.sleep(0.3)\na == n", r"ok\|True", (
        "import threading\nn = 0\ndef f():\n    global n\n    while True: n += 1\nthreading.Thread(target=f).start()",
    )),
    Attack("state", "state: an alarm does not go off", "n", r"ok\|0", (
        "import signal\nn = 0\ndef f(*a):\n    global n\n    n += 1\nsignal.signal(signal.SIGALRM, f)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)",
        "import time\ntime.sleep(0.2)",
    )),
    Attack("state", "state: files do not stay open", "import os\nos.write(w, b'x')", r"error\|OSError: \[Errno 9\].*", (
        "import os\nr, w = os.pipe()",
    )),
    Attack("state", "state: sockets do not stay open", "a.send(b'x')", r"error\|OSError: \[Errno 9\].*", (
        "import socket\na, b = socket.socketpair()",
    )),
    Attack("state", "state: a low recursion limit", "7", r"ok\|7|error\|RecursionError.*|killed.*", (
        "import sys\nsys.setrecursionlimit(30)",
    )),
    Attack("state", "state: a state that can't fork", "7", DEAD, (
        "import sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
        "f.f_globals['fork'].await_order = lambda: 1 / 0",
    )),
    Attack("state", "state: a state that greets in its child's place", "7", DEAD, (
        "import os, struct, sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
        "k = f.f_globals['fork']\ndef pretend():\n    token, folder, fd = k.receive_order()\n    os.dup2(fd, 63)\n"
        "    os.write(63, struct.pack('<BI', 1, 0))\n    return folder\nk.await_order = pretend",
    )),
    Attack("state", "state: a state that forges for its child", "7", r"killed\|.*|ok\|(7|forged)", (
        "import os, struct, sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
        "k = f.f_globals['fork']\nk._serve, real = None, k.clone\ndef node(*a):\n    pid = real(*a)\n"
        "    if pid:\n        for fd in range(3, 63):\n"
        "            try: os.write(fd, struct.pack('<BI', 1, 0) + struct.pack('<BI', 2, 7) + b'oforged')\n"
        "            except OSError: pass\n    return pid\nk.clone = node",
    )),
]  # fmt: skip

# Every one must fail with EPERM (ENOSYS for clone3); numbers are those of x86-64.
SYSTEM_CALLS = {
    "kill": "62, 1, 9", "kill all": "62, -1, 9", "kill parent": "62, os.getppid(), 9", "kill self": "62, os.getpid(), 9",
    "tkill": "200, 1, 9", "tgkill": "234, 1, 1, 9", "rt_sigqueueinfo": "129, 1, 9, 0", "rt_tgsigqueueinfo": "297, 1, 1, 9, 0",
    "pidfd_open": "434, 1, 0", "pidfd_send_signal": "424, 3, 9, 0, 0", "pidfd_getfd": "438, 3, 0, 0",
    "ptrace attach": "101, 16, 1, 0, 0", "ptrace me": "101, 0, 0, 0, 0", "process_vm_readv": "310, 1, 0, 0, 0, 0, 0",
    "process_vm_writev": "311, 1, 0, 0, 0, 0, 0", "kcmp": "312, 1, 1, 0, 0, 0", "process_madvise": "440, 3, 0, 0, 4, 0",
    "fork": "57", "vfork": "58", "clone": "56, 17, 0, 0, 0, 0", "clone vm": "56, 0x4111, 0, 0, 0, 0",
    "clone in user namespace": "56, 0x10000011, 0, 0, 0, 0", "execve": "59, 0, 0, 0", "execveat": "322, 3, 0, 0, 0, 0",
    "unshare": "272, 0x10000000", "setns": "308, 3, 0", "mount": "165, 0, 0, 0, 0, 0", "umount": "166, 0, 2",
    "pivot_root": "155, 0, 0", "chroot": "161, 0", "open_tree": "428, -100, 0, 1", "fsopen": "430, 0, 0",
    "setuid": "105, 0", "setgid": "106, 0", "setresuid": "117, 0, 0, 0", "setgroups": "116, 0, 0", "setsid": "112",
    "setpgid": "109, 0, 0", "capset": "126, 0, 0", "seccomp": "317, 1, 0, 0", "prctl seccomp": "157, 22, 2, 0",
    "prctl dumpable": "157, 4, 1", "prctl no death signal": "157, 1, 0", "prctl subreaper": "157, 36, 1",
    "prctl no_new_privs": "157, 38, 1", "personality": "135, 0x40000", "keyctl": "250, 0, 0", "add_key": "248, 0, 0, 0, 0",
    "bpf": "321, 0, 0, 0", "perf_event_open": "298, 0, 0, 0, 0, 0", "userfaultfd": "323, 0", "io_uring_setup": "425, 1, 0",
    "init_module": "175, 0, 0, 0", "finit_module": "313, 3, 0, 0", "kexec_load": "246, 0, 0, 0, 0", "reboot": "169, 0, 0, 0",
    "swapon": "167, 0, 0", "acct": "163, 0", "sethostname": "170, 0, 0", "clock_settime": "227, 0, 0", "adjtimex": "159, 0",
    "iopl": "172, 3", "ioperm": "173, 0, 1, 1", "modify_ldt": "154, 0, 0, 0", "syslog": "103, 3, 0, 0",
    "clock_gettime of the parent": "228, -14, 0", "clock_getres of the parent": "229, -14, 0",
    "clock_nanosleep by the parent": "230, -14, 0, 0, 0",
    "sched_setaffinity": "203, 1, 8, 0", "sched_setscheduler": "144, 1, 0, 0", "setpriority": "141, 0, 1, 19",
    "ioprio_set": "251, 1, 1, 0", "prlimit of the parent": "302, 1, 0, 0, 0", "fcntl F_SETOWN": "72, 63, 8, 1",
    "fcntl F_SETSIG": "72, 63, 10, 9", "fcntl F_NOTIFY": "72, 63, 1026, 1", "ioctl TIOCSTI": "16, 0, 0x5412, 0",
    "ioctl FIOSETOWN": "16, 63, 0x8901, 0", "ioctl notification": "16, 63, 0xC0502100, 0", "shmget": "29, 0, 4096, 0x3FF",
    "msgget": "68, 0, 0x3FF", "semget": "64, 0, 1, 0x3FF", "mq_open": "240, 0, 0x42, 0x1FF, 0", "memfd_create": "319, 0, 0",
    "memfd_secret": "447, 0", "mmap shared": "9, 0, 4096, 3, 0x21, -1, 0", "mlock": "149, 0, 4096", "mlockall": "151, 1",
    "open_by_handle_at": "304, -100, 0, 0", "name_to_handle_at": "303, -100, 0, 0, 0, 0", "fanotify_init": "300, 0, 0",
    "inotify_init": "253", "socket": "41, 2, 1, 0", "connect": "42, 63, 0, 0", "bind": "49, 63, 0, 0", "accept": "43, 63, 0, 0",
    "setsockopt": "54, 63, 1, 7, 0, 4", "sendmmsg": "307, 63, 0, 0, 0",
    "chmod": "90, 0, 0", "fchmod": "91, 63, 0", "fchown": "93, 63, 0, 0", "truncate": "76, 0, 0",
    "fallocate": "285, 63, 0, 0, 0", "quotactl": "179, 0, 0, 0, 0",
    "vhangup": "153", "sync": "162", "timer_create": "222, 0, 0, 0", "signalfd": "289, 63, 0, 8, 0", "splice": "275, 0, 0, 0, 0, 0, 0",
    "landlock": "446, 3, 0", "set_mempolicy": "238, 0, 0, 0", "migrate_pages": "256, 0, 0, 0, 0", "move_pages": "279, 1, 0, 0, 0, 0, 0",
    "x32 kill": "0x40000000 + 62, 1, 9", "x32 fork": "0x40000000 + 57", "arch_prctl": "158, 0x1002, 0",
    "process_mrelease": "448, 3, 0", "openat2": "437, -100, 0, 0, 24", "mount_setattr": "442, -1, 0, 0, 0, 0",
    "move_mount": "429, -1, 0, -1, 0, 0", "fsmount": "432, 3, 0, 0", "io_uring_enter": "426, 3, 1, 0, 0, 0, 0",
    "io_uring_register": "427, 3, 0, 0, 0", "io_setup": "206, 1, 0", "io_submit": "209, 0, 0, 0", "vmsplice": "278, 3, 0, 0, 0",
    "tee": "276, 3, 3, 1, 0", "sendfile": "40, 63, 3, 0, 1", "copy_file_range": "326, 3, 0, 3, 0, 1, 0", "mknodat": "259, -100, 0, 0, 0",
    "linkat": "265, -100, 0, -100, 0, 0", "symlinkat": "266, 0, -100, 0",
    "fchmodat2": "452, -100, 0, 0, 0", "futex_waitv": "449, 0, 0, 0, 0, 0", "map_shadow_stack": "453, 0, 4096, 0",
    "statmount": "457, 0, 0, 0, 0", "listmount": "458, 0, 0, 0, 0", "lsm_set_self_attr": "460, 0, 0, 0, 0", "pkey_alloc": "330, 0, 0",
    "pkey_mprotect": "329, 0, 0, 0, 0", "remap_file_pages": "216, 0, 0, 0, 0, 0", "shmat": "30, 0, 0, 0", "mbind": "237, 0, 0, 0, 0, 0, 0",
    "sched_setattr": "314, 0, 0, 0", "sched_setparam": "142, 0, 0", "syncfs": "306, 63", "flock": "73, 63, 1",
    "timerfd_create": "283, 1, 0", "inotify_init1": "294, 0", "fanotify_mark": "301, 3, 0, 0, 0, 0", "recvmmsg": "299, 63, 0, 0, 0, 0",
    "landlock_create_ruleset": "444, 0, 0, 0", "landlock_add_rule": "445, 3, 1, 0, 0", "set_thread_area": "205, 0",
    "prctl set_mm": "157, 35, 1, 0, 0, 0", "prctl set_syscall_user_dispatch": "157, 59, 1, 0, 0, 0", "prctl speculation": "157, 53, 0, 0, 0, 0",
    "prctl keep capabilities": "157, 8, 1", "prctl ptracer": "157, 0x59616d61, -1", "prctl set_vma": "157, 0x53564d41, 0, 0, 0, 0",
    "fcntl F_SETPIPE_SZ": "72, 63, 1031, 1048576", "fcntl F_SETLEASE": "72, 63, 1024, 1", "fcntl F_ADD_SEALS": "72, 63, 1033, 0",
    "ioctl FIOASYNC": "16, 63, 0x5452, 0", "ioctl TIOCSCTTY": "16, 0, 0x540E, 0",
    "socketpair netlink": "53, 16, 3, 0, 0", "socketpair datagram": "53, 1, 2, 0, 0", "socketpair seqpacket": "53, 1, 5, 0, 0",
    "mmap shared validate": "9, 0, 4096, 3, 0x23, -1, 0", "mmap droppable": "9, 0, 4096, 3, 0x28, -1, 0", "rt_sigqueueinfo self": "129, 1, 19, 0",
    "vfork high": "(1 << 32) + 58", "pidfd_send_signal 0": "424, 0, 0, 0, 0", "mseal": "462, 0, 0, 0", "unknown": "9999",
    "futex requeue of all": "202, 0, 4, 1, 1, 0, 0", "futex lock of all": "202, 0, 6, 0, 0, 0, 0",
    "futex_wait": "455, 0, 0, 0, 0, 0, 0", "futex_wake": "454, 0, 1, 1, 0",
    "getsockopt credentials": "55, 63, 1, 17, 0, 0", "getsockopt pidfd": "55, 63, 1, 77, 0, 0", "getsockopt groups": "55, 63, 1, 59, 0, 0",
}  # fmt: skip

# With a folder for temporary files these reach the kernel, which finds the arguments wrong.
FILE_CALLS = {
    "unlink": "87, 0",
    "rename": "82, 0, 0",
    "mkdir": "83, 0, 0",
    "ftruncate": "77, 63, 0",
    "renameat2": "316, -100, 0, -100, 0, 0",
    "utimensat": "280, -100, 0, 0, 0",
}

SYSTEM = [
    *(
        Attack(
            "system",
            f"system: {name}",
            _CALLS
            + f"import os\nctypes.set_errno(0)\nlibc.syscall(*map(ctypes.c_long, ({args},))), ctypes.get_errno()",
            r"ok\|\(-1, 1\)",
        )
        for name, args in SYSTEM_CALLS.items()
    ),
    *(
        Attack(
            "system",
            f"system: {name}",
            _CALLS
            + f"import os\nctypes.set_errno(0)\nlibc.syscall(*map(ctypes.c_long, ({args},))), ctypes.get_errno()",
            r"ok\|\(-1, (1|14|22)\)",
        )
        for name, args in FILE_CALLS.items()
    ),
    *(
        Attack(
            "system",
            f"system: {name}",
            _CALLS
            + f"ctypes.set_errno(0)\nlibc.syscall(*map(ctypes.c_long, (202, 0, {operation}, 0, 0, 0, 0))), ctypes.get_errno()",
            rf"ok\|\({told}\)",
        )
        for name, operation, told in (
            ("futex wait of all", 0, "-1, 11"),
            ("futex wait of all by a bit", 9, "-1, 11"),
            ("futex wait of all until", 265, "-1, 11"),
            ("futex wake of all", 1, "0, 0"),
            ("futex wake of all by a bit", 10, "0, 0"),
        )
    ),
    Attack(
        "system",
        "system: a lock, which is always free",
        _CALLS + "ctypes.set_errno(0)\nlibc.syscall(*map(ctypes.c_long, (72, 63, 6, 0))), ctypes.get_errno()",
        r"ok\|\(0, 0\)",
    ),
    Attack(
        "system",
        "system: clone3",
        _CALLS + "libc.syscall(ctypes.c_long(435), None, 0), ctypes.get_errno()",
        r"ok\|\(-1, 38\)",
    ),
    Attack(
        "system",
        "system: 32-bit calls",
        "import ctypes, mmap\nm = mmap.mmap(-1, 4096, flags=0x22, prot=7)\n"
        "m.write(b'\\xb8\\x02\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"  # mov eax, 2 (fork); int 0x80; ret
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()",
        DEAD,
    ),
    *_many(
        "system",
        DENIED,
        os_kill="import os\nos.kill(1, 9)",
        kill_group="import os\nos.killpg(0, 9)",
        raise_signal="import signal\nsignal.pthread_kill(__import__('threading').get_ident(), 9)",
        renice="import os\nos.setpriority(os.PRIO_PROCESS, 0, -20)",
        os_setuid="import os\nos.setuid(0)",
        seteuid="import os\nos.seteuid(1)",
        affinity="import os\nos.sched_setaffinity(0, [0])",
        hostname="import socket\nsocket.sethostname('x')",
        time="import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)",
        subclasses="[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
        ".__init__.__globals__['fork']()",
    ),
]

_RAW = (
    _CALLS
    + "libc.syscall.restype = ctypes.c_long\ndef call(*a):\n    ctypes.set_errno(0)\n"
    + ("    return libc.syscall(*(ctypes.c_long(x) for x in a)), ctypes.get_errno()\n")
)
_IMAGE = (
    _CALLS + "where = ctypes.pythonapi.Py_GetCopyright\nwhere.restype = ctypes.c_void_p\nat = where()\n"
    "page = at // 4096 * 4096\nlibc.mprotect.argtypes = libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n"
    "libc.mremap.restype = ctypes.c_void_p\n"
)
_CREDENTIALS = "import os, socket, struct\ns = socket.socket(fileno=63)\n"

MORE = [
    *_many(
        "memory",
        r"ok\|-1",
        huge_pages_again=_IMAGE + "libc.prctl(41, 0, 0, 0, 0)",
        huge_pages_for_some=_IMAGE + "libc.prctl(41, 1, 2, 0, 0)",
        collapse=_IMAGE + "import mmap\nm = mmap.mmap(-1, 1 << 23, flags=0x22)\nm[0] = 1\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(m)) + (1 << 21) - 1 >> 21 << 21\n"
        "libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 21), 25)",
    ),
    *_many(
        "visible",
        r"ok\|\[''\]",
        command_line="import sys\nsys.orig_argv",
    ),
    *_many(
        "image",
        r"ok\|7",
        overwrite_a_library=_IMAGE + "libc.mprotect(page, 4096, 7)\nctypes.memset(at, 88, 20)\n7",
        patch_sympy="import sympy\nsympy.Integer.__add__ = lambda a, b: 0\nsympy.core.cache.clear_cache()\n7",
        poison_sympy="import sympy\nsympy.core.numbers.Integer._mpf_ = None\nsympy.Integer.__new__ = None\n7",
        patch_numpy="import numpy\nnumpy.add = numpy.array = None\nnumpy.random.seed = lambda *a: 1 / 0\n7",
        no_sympy="import sys\nsys.modules['sympy'] = sys.modules['numpy'] = None\n7",
        forget_pages=_IMAGE + "libc.madvise(page, 4096, 4)\n7",
        patch_ctypes="import ctypes\nctypes.CDLL = ctypes.pythonapi = None\n7",
        import_hook="import builtins\nbuiltins.__import__ = lambda *a: 1 / 0\n7",
    ),
    *_many(
        "image",
        r"ok\|-1",
        punch_a_hole=_IMAGE + "libc.madvise(page, 4096, 9)",
        duplicate_shared=_IMAGE + "libc.mremap.restype = ctypes.c_long\nlibc.mremap(ctypes.c_void_p(page), ctypes.c_size_t(0), ctypes.c_size_t(4096), 1)",
        poison_memory=_IMAGE + "libc.madvise(page, 4096, 100)",
        offline_memory=_IMAGE + "libc.madvise(page, 4096, 101)",
    ),
    *_many(
        "image",
        rf"{DEAD}|{LATE}|ok\|7",
        forget_library=_IMAGE + "libc.madvise(page - (1 << 24), 1 << 25, 4)\n7",
        unmap_everything=_IMAGE + "libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\nlibc.munmap(page - (1 << 22), 1 << 23)\n7",
        merge_with_others=_IMAGE + "libc.madvise(page, 4096, 12)\n7",
    ),
    *_many(
        "descriptors",
        DENIED,
        gift="import os, socket, array, struct\ns = socket.socket(fileno=63)\n"
        "fds = array.array('i', [os.open('/dev/null', os.O_RDONLY) for _ in range(20)])\n"
        "s.sendmsg([struct.pack('<BI', 2, 10**6)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])",
        in_flight="import array, os, socket\nfor _ in range(500):\n    a, b = socket.socketpair()\n"
        "    a.sendmsg([b'x'], [(1, 1, array.array('i', [a.fileno(), b.fileno()] * 10))])",
    ),
    *_many(
        "credentials",
        DENIED,
        pid=_CREDENTIALS + "s.sendmsg([b'x'], [(1, 2, struct.pack('3i', 1, os.getuid(), os.getgid()))])",
        parent=_CREDENTIALS + "s.sendmsg([b'x'], [(1, 2, struct.pack('3i', os.getppid() or 1, os.getuid(), os.getgid()))])",
        uid=_CREDENTIALS + "s.sendmsg([b'x'], [(1, 2, struct.pack('3i', os.getpid(), os.getuid() + 1, os.getgid()))])",
    ),
    *_many(
        "forks",
        r"ok\|7",
        bomb_in_del="import os\nclass A:\n    def __del__(self):\n        while True: os.fork()\na = [A() for _ in range(50)]\ndel a\n7",
        bomb_in_finalizer="import os, weakref\nclass A: pass\na = A()\nweakref.finalize(a, os.fork)\ndel a\n7",
        bomb_in_gc="import gc, os\ngc.callbacks.append(lambda *a: os.fork())\nfor _ in range(5): gc.collect()\n7",
        bomb_at_fork="import os\nos.register_at_fork(before=os.fork, after_in_child=os.fork, after_in_parent=os.fork)\n7",
        bomb_at_exit="import atexit, os\natexit.register(os.fork)\n7",
        bomb_in_unraisable="import os, sys\nsys.unraisablehook = lambda *a: os.fork()\nclass A:\n    def __del__(self): 1 / 0\nA()\n7",
    ),
    *_many(
        "forks",
        r"ok\|\(-1, 1\)",
        high_bits=_RAW + "call(56, (1 << 32) | 0x8011, 0, 0, 0, 0)",
        pidfd=_RAW + "call(56, 0x9011, 0, 0, 0, 0)",
        untraced=_RAW + "call(56, 0x808011, 0, 0, 0, 0)",
        no_signal=_RAW + "call(56, 0x8000, 0, 0, 0, 0)",
        files_shared=_RAW + "call(56, 0x8411, 0, 0, 0, 0)",
        new_pids=_RAW + "call(56, 0x20000011, 0, 0, 0, 0)",
        from_a_thread=_RAW + "import threading\nseen = []\nt = threading.Thread(target=lambda: seen.append(call(56, 0x8011, 0, 0, 5, 5)))\n"
        "t.start()\nt.join()\nseen[0]",
        listener_theft=_RAW + "{call(16, fd, c, 0) for fd in range(64) for c in (0xC0502100, 0xC0182101, 0x40082102, 0x40182103)}.pop()",
    ),
    # Other attacks of the same user may hold so many threads that not all thirty start.
    *_many(
        "forks",
        r"ok\|\(-1, 1\)|error\|RuntimeError: can't start new thread",
        many_at_once=_RAW + "import threading\nseen = []\nts = [threading.Thread(target=lambda: seen.append(call(56, 0x8011, 0, 0, 5, 5)))"
        " for _ in range(30)]\n[t.start() for t in ts], [t.join() for t in ts]\n(*set(seen),)[0]",
    ),
    *_many(
        "flood",
        r"ok\|7",
        descriptor_1="import os\nfor _ in range(2000): os.write(1, b'x' * 65536)\n7",
        own_pipe="import os\nfor _ in range(25):\n    r, w = os.pipe()\n    os.set_blocking(w, False)\n    os.write(w, b'x' * 65536)\n7",
        warnings="import warnings\nfor i in range(10**4): warnings.warn(str(i))\n7",
        logging="import logging\nfor i in range(1000): logging.error('x' * 1000)\n7",
    ),
    # 70,000 system calls: a slow machine may not get through in time.
    *_many(
        "flood",
        rf"ok\|7|{LATE}",
        mappings=_CALLS + "libc.mmap.restype = ctypes.c_void_p\nfor i in range(70000):\n"
        "    if libc.mmap(None, ctypes.c_size_t(4096), 1 + 2 * (i % 2), 0x22, -1, ctypes.c_long(0)) in (None, 2**64 - 1): break\n7",
    ),
    *_many("flood", r"ok\|.*|error\|.*", digits="import sys\nsys.set_int_max_str_digits(0)\n10 ** 50000"),
    *_many(
        "repr",
        rf"ok\|.{{0,600}}|error\|.{{0,70000}}|{LATE}|{DEAD}",
        huge="class A:\n    def __repr__(self): return 'a' * 10**9\nA()",
        endless="class A:\n    def __repr__(self): return repr(self)\nA()",
        mutual="class A:\n    def __repr__(self): return repr([self] * 9)\n[A()] * 9",
        wrong_type="class S(str):\n    def __str__(self): return 1\nS('x')",
        exits="import os\nclass A:\n    def __str__(self): os._exit(0)\nA()",
        sub_str="class S(str):\n    def __len__(self): return -1\n    def strip(self): return None\nS('x' * 600)",
        error_is_huge="raise ValueError('a' * 10**9)",
        error_is_class="class E(Exception):\n    __class__ = property(lambda s: 1 / 0)\n    def __str__(self): raise SystemExit\nraise E",
        name_is_huge="raise type('E' * 10**7, (Exception,), {})",
    ),
    *_many(
        "signals",
        DENIED,
        stop_oneself="import signal\nsignal.raise_signal(signal.SIGSTOP)",
        stop_parent="import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)",
        pidfd="import os\nos.pidfd_open(os.getpid())",
        continue_all="import os, signal\nos.kill(-1, signal.SIGCONT)",
    ),
    *_many(
        "signals",
        LATE,
        pause="import signal\nsignal.pause()",
        block_all="import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        wait_for_signal="import signal\nsignal.sigwait({signal.SIGUSR1})",
    ),
    *_many(
        "signals",
        rf"ok\|7?|error\|.*|{DEAD}",
        alarms_in_harness="import signal\ndef f(*a): raise OSError\nsignal.signal(signal.SIGALRM, f)\n"
        "signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)\n7",
        profile_alarms="import signal\ndef f(*a): raise BaseException\nsignal.signal(signal.SIGPROF, f)\n"
        "signal.setitimer(signal.ITIMER_PROF, 1e-3, 1e-3)\n7",
    ),
    Attack("state", "state: a thread prints on", "import time\ntime.sleep(0.1)\nprint('mine')", r"ok\|mine", (
        "import threading, time\ndef f():\n    while True:\n        print('stray')\n        time.sleep(0.01)\n"
        "threading.Thread(target=f, daemon=True).start()",
    )),
    Attack("state", "state: a trace that kills", "7", r"ok\|7", ("import os, sys\nsys.settrace(lambda *a: os._exit(1))",)),
    Attack("state", "state: no room for descriptors", "7", rf"{DEAD}|ok\|7", (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))",
    )),
    Attack("state", "state: no room for memory", "7", rf"{DEAD}|error\|.*|ok\|7", (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (0, 0))",
    )),
    Attack("state", "state: a lock that is held", "7", r"ok\|7", (
        "import threading, _imp\nl = threading.RLock()\nl.acquire()\nthreading.Thread(target=l.acquire, daemon=True).start()",
    )),
    Attack("state", "state: standard files are swapped", "import os\nos.write(1, b'x') and os.read(0, 1) == b''", r"ok\|True", (
        "import os\nr, w = os.pipe()\nos.dup2(r, 0)\nos.dup2(w, 1)\nos.dup2(w, 2)",
    )),
    Attack("state", "state: the socket is kept elsewhere", "7", r"ok\|7", ("import os\nfor fd in range(3): os.dup2(63, fd)",)),
    Attack("state", "state: random is replaced", "import random\nrandom.random()", r"ok\|.*|error\|.*", (
        "import random, sys\nrandom._inst = None\nrandom.Random.seed = random.seed = lambda *a: 1 / 0",
    )),
    Attack("state", "state: threads that never end", "7", r"ok\|7", (
        "import _thread, threading\ndef f():\n    while True: pass\nfor _ in range(20): _thread.start_new_thread(f, ())",
    )),
]  # fmt: skip

ATTACKS = [*MORE, *TIME, *MEMORY, *PROCESSES, *EXIT, *OUTPUT, *FILES, *NETWORK, *HARNESS, *STATE, *SYSTEM]
