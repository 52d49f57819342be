#!/usr/bin/env python3
"""What programs may expect of a file system, tried with system calls: behaviours.py DIRECTORY.

Passes on ext4 and XFS, so it must pass in a tree. As root it also tries what only root can; what takes an ordinary user
is tried by a child that becomes `nobody`.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket
import stat
import struct
import sys
import threading
import time
import unittest

LIBC = ctypes.CDLL(None, use_errno=True)
TOP = sys.argv.pop(1) if len(sys.argv) > 1 else "."
ROOT = os.geteuid() == 0
NOBODY = 65534
LINUX = tuple(int(part) for part in os.uname().release.split(".")[:2])
# What the tree is served with, as far as it makes a difference.
CACHELESS = os.environ.get("TREE_CACHE") == "none"


def renameat2(old, new, flags):
    if LIBC.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def fallocate(file, mode, offset, length):
    if LIBC.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def as_nobody(action):
    """Runs an action as an ordinary user; returns the errno it failed with, or 0."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        except BaseException:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Behaviours(unittest.TestCase):
    def setUp(self):
        self.directory = os.path.join(TOP, self.id().split(".")[-1])
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)
        os.umask(0o022)

    def path(self, name):
        return os.path.join(self.directory, name)

    def put(self, name, data=b"text", mode=0o644):
        with open(self.path(name), "wb") as file:
            file.write(data)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def get(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def fails(self, number, action, *arguments, **keywords):
        with self.assertRaises(OSError) as caught:
            action(*arguments, **keywords)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[number])

    # Names

    def test_long_names(self):
        name = "n" * 255
        self.put(name)
        self.assertEqual(self.get(name), b"text")
        self.fails(errno.ENAMETOOLONG, open, self.path("n" * 256), "w")
        deep = self.directory
        while len(deep) < 3700:
            deep += "/" + "d" * 200
            os.mkdir(deep)
        with open(deep + "/f", "w") as file:
            file.write("deep")
        self.assertEqual(os.stat(deep + "/f").st_size, 4)

    def test_names_are_bytes(self):
        directory = os.fsencode(self.directory)
        names = [b"\xff\xfe", b"new\nline", b"\x01", "ü".encode("latin-1"), b" ", b"-", b"\\", b"*"]
        for name in names:
            with open(directory + b"/" + name, "w"):
                pass
        self.assertEqual(sorted(os.listdir(directory)), sorted(names))

    def test_exclusive_creation(self):
        self.put("f")
        self.fails(errno.EEXIST, os.open, self.path("f"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.symlink("nowhere", self.path("l"))
        self.fails(errno.EEXIST, os.open, self.path("l"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        self.fails(errno.EEXIST, os.mkdir, self.path("l"))
        self.fails(errno.ELOOP, os.open, self.path("l"), os.O_RDONLY | os.O_NOFOLLOW)

    def test_errors_of_kinds(self):
        self.put("f")
        os.mkdir(self.path("d"))
        self.put("d/inner")
        self.fails(errno.EISDIR, os.unlink, self.path("d"))
        self.fails(errno.ENOTDIR, os.rmdir, self.path("f"))
        self.fails(errno.ENOTEMPTY, os.rmdir, self.path("d"))
        self.fails(errno.ENOTDIR, os.stat, self.path("f/x"))
        self.fails(errno.EISDIR, os.open, self.path("d"), os.O_WRONLY)
        self.fails(errno.ENOENT, os.unlink, self.path("nothing"))
        self.fails(errno.ENOTDIR, os.open, self.path("f"), os.O_DIRECTORY)
        self.fails(errno.EINVAL, os.readlink, self.path("f"))
        self.fails(errno.EINVAL, os.rmdir, self.path("d/."))

    def test_symlinks(self):
        target = "x" * 4000
        os.symlink(target, self.path("l"))
        self.assertEqual(os.readlink(self.path("l")), target)
        self.assertEqual(os.lstat(self.path("l")).st_size, 4000)
        os.symlink("loop", self.path("loop"))
        self.fails(errno.ELOOP, os.stat, self.path("loop"))
        self.put("f")
        os.symlink("f", self.path("to"))
        self.assertEqual(self.get("to"), b"text")

    def test_hard_links(self):
        self.put("a")
        os.link(self.path("a"), self.path("b"))
        self.assertEqual(os.stat(self.path("a")).st_nlink, 2)
        self.assertEqual(os.stat(self.path("a")).st_ino, os.stat(self.path("b")).st_ino)
        self.put("b", b"through b")
        self.assertEqual(self.get("a"), b"through b")
        before = os.stat(self.path("a")).st_ctime_ns
        time.sleep(0.02)
        os.unlink(self.path("b"))
        self.assertEqual(os.stat(self.path("a")).st_nlink, 1)
        self.assertGreater(os.stat(self.path("a")).st_ctime_ns, before)
        os.mkdir(self.path("d"))
        self.fails(errno.EPERM, os.link, self.path("d"), self.path("e"))
        self.fails(errno.EEXIST, os.link, self.path("a"), self.path("d"))

    def test_rename_replaces(self):
        self.put("a", b"a")
        self.put("b", b"b")
        with open(self.path("b"), "rb") as old:
            os.rename(self.path("a"), self.path("b"))
            self.assertEqual(old.read(), b"b")
            self.assertEqual(os.fstat(old.fileno()).st_nlink, 0)
        self.assertEqual(self.get("b"), b"a")
        self.assertFalse(os.path.exists(self.path("a")))

    def test_rename_directories(self):
        os.makedirs(self.path("a/b/c"))
        os.mkdir(self.path("empty"))
        os.mkdir(self.path("full"))
        self.put("full/f")
        self.put("file")
        self.fails(errno.EINVAL, os.rename, self.path("a"), self.path("a/b/c/d"))
        self.fails(errno.ENOTEMPTY, os.rename, self.path("a"), self.path("full"))
        self.fails(errno.ENOTDIR, os.rename, self.path("a"), self.path("file"))
        self.fails(errno.EISDIR, os.rename, self.path("file"), self.path("a"))
        os.rename(self.path("a"), self.path("empty"))
        self.assertTrue(os.path.isdir(self.path("empty/b/c")))

    def test_rename_flags(self):
        self.put("a", b"a")
        self.put("b", b"b")
        with self.assertRaises(OSError) as caught:
            renameat2(self.path("a"), self.path("b"), 1)
        self.assertEqual(caught.exception.errno, errno.EEXIST)
        renameat2(self.path("a"), self.path("b"), 2)
        self.assertEqual((self.get("a"), self.get("b")), (b"b", b"a"))
        os.mkdir(self.path("d"))
        renameat2(self.path("a"), self.path("d"), 2)
        self.assertTrue(os.path.isdir(self.path("a")))
        self.assertEqual(self.get("d"), b"b")

    def test_same_file_rename_does_nothing(self):
        self.put("a")
        os.link(self.path("a"), self.path("b"))
        os.rename(self.path("a"), self.path("b"))
        self.assertTrue(os.path.exists(self.path("a")))

    def test_link_counts_of_directories(self):
        first = os.stat(self.directory).st_nlink
        os.mkdir(self.path("d"))
        if first > 1:
            self.assertEqual(os.stat(self.directory).st_nlink, first + 1)
        os.rmdir(self.path("d"))
        self.assertEqual(os.stat(self.directory).st_nlink, first)

    def test_reading_a_directory_while_it_changes(self):
        for number in range(600):
            self.put(f"name-{number}", b"")
        seen = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                seen.append(entry.name)
                os.unlink(entry.path)
        self.assertEqual(len(seen), 600)
        self.assertEqual(len(set(seen)), 600)
        self.assertEqual(os.listdir(self.directory), [])

    def test_a_removed_directory(self):
        os.mkdir(self.path("d"))
        descriptor = os.open(self.path("d"), os.O_RDONLY)
        os.rmdir(self.path("d"))
        os.fchmod(descriptor, 0o751)
        self.assertEqual(os.fstat(descriptor).st_mode & 0o7777, 0o751)
        self.assertEqual(os.fstat(descriptor).st_nlink, 0)
        self.assertEqual(os.listdir(descriptor), [])
        self.fails(errno.ENOENT, os.open, "f", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor)
        os.close(descriptor)

    def test_an_append_only_file(self):
        self.put("f", b"one\n")
        with open(self.path("f"), "rb") as file:
            flags = bytearray(4)
            try:
                fcntl.ioctl(file, 0x80086601, flags)  # FS_IOC_GETFLAGS
                fcntl.ioctl(file, 0x40086602, struct.pack("I", struct.unpack("I", flags)[0] | 0x20))  # FS_IOC_SETFLAGS
            except OSError as error:
                self.skipTest(f"no flags here: {error}")
            try:
                for number in range(3):
                    descriptor = os.open(self.path("f"), os.O_WRONLY | os.O_APPEND)
                    os.write(descriptor, b"more\n" * 3000)
                    os.fsync(descriptor)
                    os.close(descriptor)
                os.utime(self.path("f"))
                with open(self.path("f"), "rb") as other:
                    self.assertEqual(other.read(), b"one\n" + b"more\n" * 9000)
                self.fails(errno.EPERM, os.truncate, self.path("f"), 0)
                self.fails(errno.EPERM, os.unlink, self.path("f"))
            finally:
                fcntl.ioctl(file, 0x40086602, bytes(flags))

    def test_special_files(self):
        os.mkfifo(self.path("fifo"), 0o640)
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("fifo")).st_mode))
        reader = os.open(self.path("fifo"), os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(self.path("fifo"), os.O_WRONLY)
        os.write(writer, b"through")
        self.assertEqual(os.read(reader, 10), b"through")
        os.close(reader)
        os.close(writer)
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            os.chdir(self.directory)
            server.bind("socket")
            server.listen()
            client.connect("socket")
            os.chdir("/")
        self.assertTrue(stat.S_ISSOCK(os.stat(self.path("socket")).st_mode))
        if ROOT:
            os.mknod(self.path("null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
            status = os.stat(self.path("null"))
            self.assertEqual((os.major(status.st_rdev), os.minor(status.st_rdev)), (1, 3))

    # Data

    def test_unlinked_but_open(self):
        self.put("f", b"old")
        with open(self.path("f"), "r+b") as file:
            os.unlink(self.path("f"))
            file.write(b"new and longer")
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            self.assertEqual(file.read(), b"new and longer")
            self.assertEqual(os.fstat(file.fileno()).st_nlink, 0)
            os.ftruncate(file.fileno(), 3)
            self.assertEqual(os.fstat(file.fileno()).st_size, 3)
            self.put("f", b"another")
            file.seek(0)
            self.assertEqual(file.read(), b"new")

    def test_append_from_two(self):
        self.put("f", b"")
        files = [os.open(self.path("f"), os.O_WRONLY | os.O_APPEND) for _ in range(2)]
        for number in range(100):
            os.write(files[number % 2], b"%04d\n" % number)
        self.assertEqual(self.get("f"), b"".join(b"%04d\n" % number for number in range(100)))
        os.pwrite(files[0], b"end", 0)
        self.assertTrue(self.get("f").endswith(b"end"))
        for file in files:
            os.close(file)

    def test_blocks_of_a_file_that_is_open(self):
        with open(self.path("f"), "w+b") as file:
            os.pwrite(file.fileno(), b"data" * 50000, 0)
            os.fsync(file.fileno())
            # What tar --sparse takes for a hole altogether.
            self.assertGreater(os.stat(self.path("f")).st_blocks, 0)

    def test_holes(self):
        with open(self.path("f"), "w+b") as file:
            file.truncate(16 << 20)
            os.pwrite(file.fileno(), b"data", 8 << 20)
            os.fsync(file.fileno())
            self.assertLess(os.fstat(file.fileno()).st_blocks * 512, 1 << 20)
            data = os.lseek(file.fileno(), 0, os.SEEK_DATA)
            self.assertLessEqual(data, 8 << 20)
            hole = os.lseek(file.fileno(), 8 << 20, os.SEEK_HOLE)
            self.assertGreater(hole, 8 << 20)
            with self.assertRaises(OSError) as caught:
                os.lseek(file.fileno(), 17 << 20, os.SEEK_DATA)
            self.assertEqual(caught.exception.errno, errno.ENXIO)
            self.assertEqual(os.pread(file.fileno(), 8, (8 << 20) - 2), b"\0\0data\0\0")

    def test_what_was_just_written_is_no_hole(self):
        with open(self.path("f"), "w+b", buffering=0) as file:
            os.pwrite(file.fileno(), b"late", 1 << 20)
            self.assertLessEqual(os.lseek(file.fileno(), 0, os.SEEK_DATA), 1 << 20)
            os.fsync(file.fileno())
            os.pwrite(file.fileno(), b"early", 8192)
            self.assertLessEqual(os.lseek(file.fileno(), 0, os.SEEK_DATA), 8192)
            self.assertGreaterEqual(os.lseek(file.fileno(), 8192, os.SEEK_HOLE), 8197)
            self.assertEqual(os.lseek(file.fileno(), 8192, os.SEEK_DATA), 8192)
            end = (1 << 20) + 4
            self.assertEqual(os.lseek(file.fileno(), 1 << 20, os.SEEK_HOLE), end)
            self.fails(errno.ENXIO, os.lseek, file.fileno(), end, os.SEEK_DATA)

    def test_truncation(self):
        self.put("f", b"0123456789")
        os.truncate(self.path("f"), 4)
        self.assertEqual(self.get("f"), b"0123")
        os.truncate(self.path("f"), 8)
        self.assertEqual(self.get("f"), b"0123\0\0\0\0")
        os.close(os.open(self.path("f"), os.O_WRONLY | os.O_TRUNC))
        self.assertEqual(self.get("f"), b"")
        self.fails(errno.EINVAL, os.truncate, self.path("f"), -1)

    def test_allocation(self):
        with open(self.path("f"), "w+b") as file:
            file.write(b"x" * 65536)
            file.flush()
            fallocate(file.fileno(), 0, 0, 131072)
            self.assertEqual(os.fstat(file.fileno()).st_size, 131072)
            fallocate(file.fileno(), 1, 0, 1 << 20)
            self.assertEqual(os.fstat(file.fileno()).st_size, 131072)
            try:
                fallocate(file.fileno(), 3, 4096, 4096)
                self.assertEqual(os.pread(file.fileno(), 4098, 4095), b"x" + b"\0" * 4096 + b"x")
                fallocate(file.fileno(), 0x10, 8192, 4096)
                self.assertEqual(os.pread(file.fileno(), 2, 8192), b"\0\0")
            except OSError as error:
                self.assertEqual(error.errno, errno.EOPNOTSUPP)

    def test_copying_in_the_kernel(self):
        self.put("a", bytes(range(256)) * 4096)
        with open(self.path("a"), "rb") as a, open(self.path("b"), "w+b") as b:
            copied = 0
            while copied < 1 << 20:
                step = os.copy_file_range(a.fileno(), b.fileno(), 1 << 20, copied, copied)
                self.assertGreater(step, 0)
                copied += step
            b.seek(0)
            self.assertEqual(b.read(), self.get("a"))

    def test_temporary_files(self):
        try:
            file = os.open(self.directory, os.O_TMPFILE | os.O_RDWR, 0o600)
        except OSError as error:
            # Before Linux 6.1 FUSE has none.
            self.assertEqual(error.errno, errno.EOPNOTSUPP)
            return
        os.write(file, b"late")
        self.assertEqual(os.listdir(self.directory), [])
        follow = 0x400
        source = f"/proc/self/fd/{file}".encode()
        self.assertEqual(LIBC.linkat(-100, source, -100, os.fsencode(self.path("named")), follow), 0)
        os.close(file)
        self.assertEqual(self.get("named"), b"late")

    def test_mapped_between_processes(self):
        self.put("f", b"\0" * 8192)
        if CACHELESS and LINUX < (6, 6):
            with open(self.path("f"), "r+b") as file:
                self.fails(errno.ENODEV, mmap.mmap, file.fileno(), 8192)
            return
        with open(self.path("f"), "r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
            child = os.fork()
            if child == 0:
                memory[4096:4100] = b"mine"
                os._exit(0)
            os.waitpid(child, 0)
            self.assertEqual(memory[4096:4100], b"mine")
            with open(self.path("f"), "rb") as other:
                self.assertEqual(os.pread(other.fileno(), 4, 4096), b"mine")
            os.pwrite(file.fileno(), b"written", 100)
            self.assertEqual(memory[100:107], b"written")
            memory.flush()
        self.assertEqual(self.get("f")[4096:4100], b"mine")

    def test_direct(self):
        file = os.open(self.path("f"), os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
        with mmap.mmap(-1, 8192) as buffer:
            buffer[:] = b"d" * 8192
            self.assertEqual(os.pwrite(file, buffer, 0), 8192)
            buffer[:] = b"\0" * 8192
            self.assertEqual(os.preadv(file, [buffer], 0), 8192)
            self.assertEqual(buffer[:4], b"dddd")
        os.close(file)
        self.assertEqual(self.get("f"), b"d" * 8192)

    def test_synchronous(self):
        for flag in [os.O_SYNC, os.O_DSYNC]:
            file = os.open(self.path("f"), os.O_RDWR | os.O_CREAT | flag, 0o644)
            self.assertEqual(os.write(file, b"sync"), 4)
            os.close(file)
        self.assertEqual(self.get("f"), b"sync")
        directory = os.open(self.directory, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        os.sync()

    def test_access_modes(self):
        self.put("f")
        file = os.open(self.path("f"), os.O_RDONLY)
        self.fails(errno.EBADF, os.write, file, b"x")
        os.close(file)
        file = os.open(self.path("f"), os.O_WRONLY)
        self.fails(errno.EBADF, os.read, file, 1)
        os.close(file)

    def test_limits_of_files(self):
        with open(self.path("f"), "w+b") as file:
            self.assertEqual(os.pread(file.fileno(), 10, 1 << 40), b"")
            self.assertRaises(OSError, os.pwrite, file.fileno(), b"x", (1 << 63) - 1)

    def test_writers_of_programs(self):
        """A file that is executed cannot be written, and the other way round."""
        with open("/bin/sleep", "rb") as program:
            self.put("sleep", program.read(), 0o755)
        writer = os.open(self.path("sleep"), os.O_WRONLY)
        self.fails(errno.ETXTBSY, os.execv, self.path("sleep"), ["sleep", "0"])
        os.close(writer)
        child = os.fork()
        if child == 0:
            os.execv(self.path("sleep"), ["sleep", "5"])
        time.sleep(0.3)
        self.fails(errno.ETXTBSY, os.open, self.path("sleep"), os.O_WRONLY)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    # Attributes

    def test_times(self):
        self.put("f")
        os.utime(self.path("f"), ns=(1_000_000_001, 2_000_000_002))
        status = os.stat(self.path("f"))
        self.assertEqual((status.st_atime_ns, status.st_mtime_ns), (1_000_000_001, 2_000_000_002))
        with open(self.path("f"), "ab") as file:
            file.write(b"more")
        self.assertGreater(os.stat(self.path("f")).st_mtime, time.time() - 60)
        os.utime(self.path("f"), ns=(-1_000_000_000, 1 << 60))
        self.assertEqual(os.stat(self.path("f")).st_mtime_ns, 1 << 60)

    def test_times_of_directories(self):
        os.utime(self.directory, (1, 1))
        self.put("f")
        self.assertGreater(os.stat(self.directory).st_mtime, 1)
        os.utime(self.directory, (1, 1))
        os.chmod(self.path("f"), 0o600)
        with open(self.path("f"), "ab") as file:
            file.write(b"more")
        self.assertEqual(os.stat(self.directory).st_mtime, 1)
        os.rename(self.path("f"), self.path("g"))
        self.assertGreater(os.stat(self.directory).st_mtime, 1)

    def test_change_times(self):
        self.put("f")
        for change in [
            lambda: os.chmod(self.path("f"), 0o600), lambda: os.link(self.path("f"), self.path("g")),
            lambda: os.truncate(self.path("f"), 2), lambda: os.rename(self.path("g"), self.path("h")),
            lambda: os.setxattr(self.path("f"), "user.a", b"b"), lambda: os.utime(self.path("f"), (5, 5)),
        ]:
            before = os.stat(self.path("f")).st_ctime_ns
            time.sleep(0.02)
            change()
            self.assertGreater(os.stat(self.path("f")).st_ctime_ns, before)

    def test_writing_changes_times(self):
        self.put("f")
        before = os.stat(self.path("f"))
        time.sleep(0.02)
        with open(self.path("f"), "r+b") as file:
            file.write(b"T")
            file.flush()
            during = os.fstat(file.fileno())
            self.assertGreater(during.st_mtime_ns, before.st_mtime_ns)
        after = os.stat(self.path("f"))
        self.assertGreater(after.st_ctime_ns, before.st_ctime_ns)
        self.assertEqual(after.st_mtime_ns, during.st_mtime_ns)

    def test_sizes_show_at_once(self):
        with open(self.path("f"), "wb", buffering=0) as file:
            for number in range(1, 20):
                file.write(b"x" * 1000)
                self.assertEqual(os.stat(self.path("f")).st_size, number * 1000)

    def test_modes_and_umask(self):
        os.umask(0o027)
        os.close(os.open(self.path("f"), os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkdir(self.path("d"), 0o777)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o640)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("d")).st_mode), 0o750)
        for mode in [0o000, 0o4755, 0o1777, 0o6711]:
            os.chmod(self.path("f"), mode)
            self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), mode)

    def test_a_file_made_without_permissions_can_be_written(self):
        file = os.open(self.path("f"), os.O_CREAT | os.O_RDWR, 0)
        os.write(file, b"text")
        self.assertEqual(os.pread(file, 4, 0), b"text")
        os.close(file)

    def test_attributes(self):
        self.put("f")
        os.setxattr(self.path("f"), "user.a", b"1")
        os.setxattr(self.path("f"), "user.b", b"")
        self.assertEqual(sorted(os.listxattr(self.path("f"))), ["user.a", "user.b"])
        self.assertEqual(os.getxattr(self.path("f"), "user.b"), b"")
        self.fails(errno.EEXIST, os.setxattr, self.path("f"), "user.a", b"2", os.XATTR_CREATE)
        self.fails(errno.ENODATA, os.setxattr, self.path("f"), "user.c", b"2", os.XATTR_REPLACE)
        os.removexattr(self.path("f"), "user.a")
        self.fails(errno.ENODATA, os.getxattr, self.path("f"), "user.a")
        self.fails(errno.ENODATA, os.removexattr, self.path("f"), "user.a")
        os.symlink("f", self.path("l"))
        self.fails(errno.EPERM, os.setxattr, self.path("l"), "user.a", b"1", follow_symlinks=False)
        for name in "nobodys.a", "a":
            self.fails(errno.EOPNOTSUPP, os.getxattr, self.path("f"), name)
            self.fails(errno.EOPNOTSUPP, os.setxattr, self.path("f"), name, b"1")
            self.fails(errno.EOPNOTSUPP, os.removexattr, self.path("f"), name)
        if ROOT:
            os.setxattr(self.path("f"), "trusted.a", b"1")
            self.assertEqual(sorted(os.listxattr(self.path("f"))), ["trusted.a", "user.b"])
            self.assertEqual(as_nobody(lambda: os._exit(os.listxattr(self.path("f")) != ["user.b"])), 0)
        os.setxattr(self.directory, "user.on a directory", b"v" * 2000)
        self.assertEqual(len(os.getxattr(self.directory, "user.on a directory")), 2000)

    def test_file_system_numbers(self):
        self.assertEqual(os.stat(self.directory).st_dev, os.stat(self.put("f")).st_dev)
        self.assertGreaterEqual(os.statvfs(self.directory).f_namemax, 255)

    # Locks

    def test_locks_of_files(self):
        path = self.put("f")
        one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
        fcntl.flock(one, fcntl.LOCK_EX)
        self.fails(errno.EWOULDBLOCK, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(one)
        os.close(two)

    def test_locks_of_ranges(self):
        path = self.put("f", b"0" * 100)
        with open(path, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX, 10, 0)

            def refused():
                with open(path, "r+b") as other:
                    fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 20)
                    fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)

            child = os.fork()
            if child == 0:
                try:
                    refused()
                except OSError as error:
                    os._exit(0 if error.errno in (errno.EAGAIN, errno.EACCES) else 2)
                os._exit(1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def is_interrupted(self, lock, path):
        """A child that waits for a lock which is held goes on when a signal comes."""
        class Alarm(Exception):
            pass

        def wake(number, frame):
            raise Alarm

        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, wake)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            try:
                lock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
            except Alarm:
                os._exit(0)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def waits(self, lock, path):
        """A child that waits for a lock which is held, and ends once it has it."""
        child = os.fork()
        if child == 0:
            lock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
            os._exit(0)
        time.sleep(0.2)
        self.assertEqual(os.waitpid(child, os.WNOHANG), (0, 0))
        return child

    def test_a_waiting_lock_is_interrupted(self):
        path = self.put("f", b"0" * 100)
        file = os.open(path, os.O_RDWR)
        fcntl.lockf(file, fcntl.LOCK_EX)

        self.is_interrupted(fcntl.lockf, path)
        # And one that gets it after all.
        waiter = self.waits(fcntl.lockf, path)
        fcntl.lockf(file, fcntl.LOCK_UN)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(waiter, 0)[1]), 0)
        os.close(file)

    def test_a_waiting_flock_is_interrupted(self):
        path = self.put("f")
        file = os.open(path, os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)

        self.is_interrupted(fcntl.flock, path)
        waiter = self.waits(fcntl.flock, path)
        # Killed while it waits, it leaves nothing.
        killed = self.waits(fcntl.flock, path)
        os.kill(killed, signal.SIGKILL)
        os.waitpid(killed, 0)
        # Closed here, it would still be open in the child.
        fcntl.flock(file, fcntl.LOCK_UN)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(waiter, 0)[1]), 0)
        os.close(file)

    def test_locks_of_open_files(self):
        path = self.put("f", b"0" * 100)
        one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 10, 0)
        fcntl.fcntl(one, 37, lock)
        self.fails(errno.EAGAIN, fcntl.fcntl, two, 37, lock)
        os.close(one)
        fcntl.fcntl(two, 37, lock)
        os.close(two)

    # Several at once

    def test_threads_in_one_directory(self):
        failures = []

        def work(which):
            try:
                for number in range(100):
                    path = self.path(f"{which}-{number}")
                    with open(path, "wb") as file:
                        file.write(os.urandom(100))
                    os.rename(path, path + "-renamed")
                    os.stat(path + "-renamed")
                    if number % 2:
                        os.unlink(path + "-renamed")
            except OSError as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(os.listdir(self.directory)), 200)

    def test_rename_is_atomic_to_readers(self):
        self.put("f", b"0" * 1000)
        stop = threading.Event()
        wrong = []

        def look():
            while not stop.is_set():
                try:
                    data = self.get("f")
                    if len(data) != 1000 or len(set(data)) != 1:
                        wrong.append(data[:20])
                except OSError as error:
                    wrong.append(error)

        reader = threading.Thread(target=look)
        reader.start()
        for number in range(200):
            self.put("new", (b"%d" % (number % 10)) * 1000)
            os.rename(self.path("new"), self.path("f"))
        stop.set()
        reader.join()
        self.assertEqual(wrong, [])

    def test_asynchronous_direct_writes(self):
        # While others read the file by its cache: what is read afterwards is what was written too.
        size, piece = 640 << 10, 64 << 10
        path = self.put("f", bytes(size))
        try:
            file = os.open(path, os.O_RDWR | os.O_DIRECT)
        except OSError:
            self.skipTest("no O_DIRECT here")
        cached = os.open(path, os.O_RDONLY)
        buffer = mmap.mmap(-1, size)
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        context = ctypes.c_ulong(0)
        syscall = LIBC.syscall
        self.assertEqual(syscall(ctypes.c_long(206), 64, ctypes.byref(context)), 0)  # io_setup
        events = ctypes.create_string_buffer(32 * 64)
        readers = []
        for reopens in (True, False):
            child = os.fork()
            if child == 0:
                reading = os.open(path, os.O_RDONLY)
                while True:
                    for at in range(0, size, 128 << 10):
                        os.pread(reading, 128 << 10, at)
                    if reopens:
                        os.close(reading)
                        reading = os.open(path, os.O_RDONLY)
            readers.append(child)
        try:
            end = time.monotonic() + 5
            turn = 0
            while time.monotonic() < end:
                turn = turn % 255 + 1
                buffer[:] = bytes([turn]) * size
                # struct iocb: IOCB_CMD_PWRITE is 1.
                blocks = [ctypes.create_string_buffer(struct.pack(
                    "<QIiHhIQQqQII", at, 0, 0, 1, 0, file, address + at, piece, at, 0, 0, 0))
                    for at in range(0, size, piece)]
                pointers = (ctypes.c_void_p * len(blocks))(*[ctypes.addressof(block) for block in blocks])
                self.assertEqual(syscall(ctypes.c_long(209), context, ctypes.c_long(len(blocks)), pointers), len(blocks))
                done = 0
                while done < len(blocks):
                    got = syscall(ctypes.c_long(208), context, ctypes.c_long(1), ctypes.c_long(64), events, None)
                    self.assertGreater(got, 0)
                    done += got
                self.assertEqual(set(os.pread(cached, size, 0)), {turn})
                self.assertEqual(set(self.get("f")), {turn})
        finally:
            for child in readers:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            syscall(ctypes.c_long(207), context)
            os.close(file)
            os.close(cached)


@unittest.skipUnless(ROOT, "needs root")
class Privileges(Behaviours):
    """What differs between users; run by root."""

    def test_permissions(self):
        os.chmod(self.put("secret"), 0o600)
        os.mkdir(self.path("closed"), 0o700)
        self.put("closed/f")
        self.assertEqual(as_nobody(lambda: open(self.path("secret")).close()), errno.EACCES)
        self.assertEqual(as_nobody(lambda: os.stat(self.path("closed/f"))), errno.EACCES)
        self.assertEqual(as_nobody(lambda: os.listdir(self.path("closed"))), errno.EACCES)
        os.chmod(self.path("secret"), 0o604)
        self.assertEqual(as_nobody(lambda: open(self.path("secret")).close()), 0)
        self.assertEqual(as_nobody(lambda: os.chmod(self.path("secret"), 0o777)), errno.EPERM)
        self.assertEqual(as_nobody(lambda: os.chown(self.path("secret"), NOBODY, -1)), errno.EPERM)
        self.assertEqual(as_nobody(lambda: os.utime(self.path("secret"), (1, 1))), errno.EPERM)

    def test_owners_of_what_is_made(self):
        self.assertEqual(as_nobody(lambda: os.mkdir(self.path("d"))), 0)
        self.assertEqual(as_nobody(lambda: open(self.path("d/f"), "w").close()), 0)
        self.assertEqual(as_nobody(lambda: os.symlink("x", self.path("d/l"))), 0)
        for name in ["d", "d/f"]:
            self.assertEqual((os.lstat(self.path(name)).st_uid, os.lstat(self.path(name)).st_gid), (NOBODY, NOBODY))

    def test_sticky_directories(self):
        os.mkdir(self.path("tmp"))
        os.chmod(self.path("tmp"), 0o1777)
        self.put("tmp/mine")
        self.assertIn(as_nobody(lambda: os.unlink(self.path("tmp/mine"))), (errno.EPERM, errno.EACCES))
        self.assertEqual(as_nobody(lambda: os.rename(self.path("tmp/mine"), self.path("tmp/x"))), errno.EPERM)
        self.assertEqual(as_nobody(lambda: open(self.path("tmp/theirs"), "w").close()), 0)
        self.assertEqual(as_nobody(lambda: os.unlink(self.path("tmp/theirs"))), 0)

    def test_set_id_bits_go(self):
        os.chmod(self.put("f"), 0o6777)
        self.assertEqual(as_nobody(lambda: os.close(os.open(self.path("f"), os.O_WRONLY))), 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o6777)

        def write():
            file = os.open(self.path("f"), os.O_WRONLY)
            os.write(file, b"x")
            os.close(file)

        self.assertEqual(as_nobody(write), 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o777)
        os.chmod(self.path("f"), 0o6777)
        self.assertEqual(as_nobody(lambda: os.truncate(self.path("f"), 1)), 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o777)
        os.chmod(self.path("f"), 0o6755)
        os.chown(self.path("f"), 5, 5)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o755)

        # Who may not set them takes them away by any change of the content; root does not.
        self.put("from", mode=0o666)

        def copy():
            with open(self.path("from"), "rb") as source, open(self.path("f"), "r+b") as target:
                os.copy_file_range(source.fileno(), target.fileno(), 2)

        def allocate():
            with open(self.path("f"), "r+b") as file:
                fallocate(file.fileno(), 0, 0, 8192)

        for change in copy, allocate:
            os.chmod(self.path("f"), 0o6777)
            change()
            self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o6777)
            self.assertEqual(as_nobody(change), 0)
            self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o777)

    def test_a_change_to_the_same_is_a_change(self):
        self.put("f")
        os.mkdir(self.path("d"))
        os.symlink("f", self.path("l"))
        for name in "f", "d", "l":
            there = os.lstat(self.path(name))
            changes = [lambda: os.lchown(self.path(name), there.st_uid, there.st_gid)]
            if name != "l":
                changes.append(lambda: os.chmod(self.path(name), stat.S_IMODE(there.st_mode)))
            for change in changes:
                before = os.lstat(self.path(name)).st_ctime_ns
                time.sleep(0.02)
                change()
                after = os.lstat(self.path(name))
                self.assertGreater(after.st_ctime_ns, before, name)
                self.assertEqual((after.st_mode, after.st_uid), (there.st_mode, there.st_uid))

    def test_groups_of_set_group_id_directories(self):
        os.mkdir(self.path("d"))
        os.chown(self.path("d"), 0, 7)
        os.chmod(self.path("d"), 0o2777)
        self.assertEqual(as_nobody(lambda: os.mkdir(self.path("d/sub"))), 0)
        self.assertEqual(as_nobody(lambda: open(self.path("d/f"), "w").close()), 0)
        self.assertEqual(os.stat(self.path("d/f")).st_gid, 7)
        self.assertEqual(os.stat(self.path("d/sub")).st_gid, 7)
        self.assertTrue(os.stat(self.path("d/sub")).st_mode & stat.S_ISGID)

    def test_capabilities_go_with_a_write(self):
        self.put("f", mode=0o777)
        # Version 2, effective, CAP_NET_RAW.
        os.setxattr(self.path("f"), "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
        with open(self.path("f"), "r+b") as file:
            file.write(b"x")
        self.fails(errno.ENODATA, os.getxattr, self.path("f"), "security.capability")

    def test_set_id_programs_work(self):
        with open("/usr/bin/id", "rb") as program:
            self.put("id", program.read(), 0o4755)
        read, write = os.pipe()

        def run():
            os.dup2(write, 1)
            os.execv(self.path("id"), ["id", "-u"])

        if os.statvfs(self.directory).f_flag & os.ST_NOSUID:
            self.skipTest("mounted nosuid")
        self.assertEqual(as_nobody(run), 0)
        os.close(write)
        self.assertEqual(os.read(read, 10), b"0\n")
        os.close(read)

    def test_access_lists(self):
        def entries(*entries):
            return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)

        self.put("f", mode=0o600)
        # user::rw- user:nobody:r-- group::--- mask::r-- other::---
        allowed = entries((1, 6, -1), (2, 4, NOBODY), (4, 0, -1), (16, 4, -1), (32, 0, -1))
        os.setxattr(self.path("f"), "system.posix_acl_access", allowed)
        self.assertEqual(os.getxattr(self.path("f"), "system.posix_acl_access"), allowed)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("f")).st_mode), 0o640)
        self.assertEqual(as_nobody(lambda: self.get("f")), 0)
        self.assertEqual(as_nobody(lambda: open(self.path("f"), "a").close()), errno.EACCES)
        # The group's permissions are the mask now.
        os.chmod(self.path("f"), 0o600)
        self.assertEqual(as_nobody(lambda: self.get("f")), errno.EACCES)
        os.mkdir(self.path("d"))
        default = entries((1, 7, -1), (2, 5, NOBODY), (4, 0, -1), (16, 7, -1), (32, 0, -1))
        os.setxattr(self.path("d"), "system.posix_acl_default", default)
        os.umask(0o077)
        with open(self.path("d/f"), "w") as file:
            file.write("text")
        os.mkdir(self.path("d/sub"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("d/f")).st_mode), 0o660)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("d/sub")).st_mode), 0o770)
        self.assertEqual(os.getxattr(self.path("d/sub"), "system.posix_acl_default"), default)
        self.assertEqual(as_nobody(lambda: self.get("d/f")), 0)
        self.assertEqual(as_nobody(lambda: os.listdir(self.path("d/sub"))), 0)

    def test_trusted_attributes(self):
        os.setxattr(self.put("f"), "trusted.a", b"b")
        self.assertEqual(os.getxattr(self.path("f"), "trusted.a"), b"b")
        os.setxattr(self.path("f"), "security.novm", b"c")
        self.assertIn("security.novm", os.listxattr(self.path("f")))


# A class that another one extends is run once for itself alone.
for name in [name for name in dir(Behaviours) if name.startswith("test_")]:
    if getattr(Privileges, name, None) is getattr(Behaviours, name):
        setattr(Privileges, name, None)

if __name__ == "__main__":
    unittest.main(argv=["behaviours.py", *sys.argv[1:]], verbosity=1)
