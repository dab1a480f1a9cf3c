/* Plays file systems that cannot do everything: preloaded (LD_PRELOAD), it makes calls of the C library fail.

   SHIM_FS holds the rules, with commas between them; SHIM_PREFIX limits them to paths that begin so.

     link=ERRNO      link, linkat
     cross=ERRNO     rename from one folder into another
     rename=ERRNO    any other rename
     fsyncdir=ERRNO  fsync of a folder; files are not concerned
     flock=ERRNO     flock
     setlk=ERRNO     fcntl with F_SETLK and F_SETLKW
     ofd=ERRNO       fcntl with F_OFD_SETLK and F_OFD_SETLKW
     mmap=ERRNO      mmap of a file with MAP_SHARED
     statvfs=ERRNO   statvfs, fstatvfs
     free=BLOCKS     what statvfs and fstatvfs say of the free space

   ERRNO is a number. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The C library's own function of that name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Returns the number behind `name=` in SHIM_FS, or -1. */
static long rule(const char *name) {
    const char *rules = getenv("SHIM_FS");
    size_t length = strlen(name);
    for (; rules != NULL && *rules; rules = strchr(rules, ','), rules = rules ? rules + 1 : NULL)
        if (strncmp(rules, name, length) == 0 && rules[length] == '=')
            return strtol(rules + length + 1, NULL, 10);
    return -1;
}

static int concerns(const char *path) {
    const char *prefix = getenv("SHIM_PREFIX");
    return prefix == NULL || strncmp(path, prefix, strlen(prefix)) == 0;
}

static int concerns_descriptor(int descriptor) {
    char link[64], path[PATH_MAX + 1];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (length < 0)
        return 0;
    path[length] = 0;
    return path[0] == '/' && concerns(path);
}

/* Sets errno and returns 1 where there is a rule and it concerns the call. */
static int fails(const char *name, int concerned) {
    long error = concerned ? rule(name) : -1;
    if (error > 0)
        errno = (int)error;
    return error > 0;
}

int link(const char *from, const char *to) {
    return fails("link", concerns(to)) ? -1 : REAL(link)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    return fails("link", concerns(to)) ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

static int is_crossing(const char *from, const char *to) {
    const char *end = strrchr(from, '/'), *other_end = strrchr(to, '/');
    long length = end ? end - from : 0, other = other_end ? other_end - to : 0;
    return length != other || strncmp(from, to, (size_t)length) != 0;
}

int rename(const char *from, const char *to) {
    return fails(is_crossing(from, to) ? "cross" : "rename", concerns(to)) ? -1 : REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    if (fails(is_crossing(from, to) ? "cross" : "rename", concerns(to)))
        return -1;
    return REAL(renameat)(from_folder, from, to_folder, to);
}

static int is_folder(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

int fsync(int descriptor) {
    if (rule("fsyncdir") > 0 && is_folder(descriptor) && fails("fsyncdir", concerns_descriptor(descriptor)))
        return -1;
    return REAL(fsync)(descriptor);
}

int flock(int descriptor, int operation) {
    if (!(operation & LOCK_UN) && fails("flock", concerns_descriptor(descriptor)))
        return -1;
    return REAL(flock)(descriptor, operation);
}

static int lock_fails(int descriptor, int command) {
    switch (command) {
    case F_SETLK:
    case F_SETLKW:
        return rule("setlk") > 0 && fails("setlk", concerns_descriptor(descriptor));
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return rule("ofd") > 0 && fails("ofd", concerns_descriptor(descriptor));
    }
    return 0;
}

/* The third argument is an int or a pointer; as a pointer it reaches the kernel whole either way. */
int fcntl(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return lock_fails(descriptor, command) ? -1 : REAL(fcntl)(descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return lock_fails(descriptor, command) ? -1 : REAL(fcntl64)(descriptor, command, argument);
}

static int map_fails(int flags, int descriptor) {
    return descriptor >= 0 && (flags & MAP_TYPE) == MAP_SHARED && rule("mmap") > 0 &&
           fails("mmap", concerns_descriptor(descriptor));
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
    if (map_fails(flags, descriptor))
        return MAP_FAILED;
    return REAL(mmap)(address, length, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
    if (map_fails(flags, descriptor))
        return MAP_FAILED;
    return REAL(mmap64)(address, length, protection, flags, descriptor, offset);
}

#define PLAY_FREE(result, space, concerned)                            \
    do {                                                               \
        long blocks = (result) == 0 && (concerned) ? rule("free") : -1; \
        if (blocks >= 0)                                               \
            (space)->f_bfree = (space)->f_bavail = (unsigned)blocks;   \
    } while (0)

int statvfs(const char *path, struct statvfs *space) {
    if (fails("statvfs", concerns(path)))
        return -1;
    int result = REAL(statvfs)(path, space);
    PLAY_FREE(result, space, concerns(path));
    return result;
}

int statvfs64(const char *path, struct statvfs64 *space) {
    if (fails("statvfs", concerns(path)))
        return -1;
    int result = REAL(statvfs64)(path, space);
    PLAY_FREE(result, space, concerns(path));
    return result;
}

int fstatvfs(int descriptor, struct statvfs *space) {
    int concerned = concerns_descriptor(descriptor);
    if (fails("statvfs", concerned))
        return -1;
    int result = REAL(fstatvfs)(descriptor, space);
    PLAY_FREE(result, space, concerned);
    return result;
}

int fstatvfs64(int descriptor, struct statvfs64 *space) {
    int concerned = concerns_descriptor(descriptor);
    if (fails("statvfs", concerned))
        return -1;
    int result = REAL(fstatvfs64)(descriptor, space);
    PLAY_FREE(result, space, concerned);
    return result;
}
