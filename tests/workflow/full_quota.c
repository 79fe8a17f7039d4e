/* A disk quota that is used up: no byte can be written to a file below the folder FULL_QUOTA. To be preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int descriptor) {
    const char *folder = getenv("FULL_QUOTA");
    char link[64], path[PATH_MAX + 1];
    struct stat status;
    if (!folder || fstat(descriptor, &status) || !S_ISREG(status.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX);
    size_t start = strlen(folder);
    return length > (ssize_t)start && !strncmp(path, folder, start) && path[start] == '/';
}

#define REFUSING(name, type, parameters, arguments)                      \
    ssize_t name parameters {                                                \
        static __typeof__(type) *next;                                                    \
        if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, #name);                     \
        if (is_full(file)) return errno = EDQUOT, -1;                        \
        return next arguments;                                               \
    }

REFUSING(write, ssize_t(int, const void *, size_t), (int file, const void *data, size_t n), (file, data, n))
REFUSING(pwrite, ssize_t(int, const void *, size_t, off_t), (int file, const void *data, size_t n, off_t at),
         (file, data, n, at))
REFUSING(pwrite64, ssize_t(int, const void *, size_t, off64_t), (int file, const void *data, size_t n, off64_t at),
         (file, data, n, at))
REFUSING(writev, ssize_t(int, const struct iovec *, int), (int file, const struct iovec *data, int n),
         (file, data, n))
REFUSING(sendfile, ssize_t(int, int, off_t *, size_t), (int file, int from, off_t *at, size_t n),
         (file, from, at, n))
REFUSING(copy_file_range, ssize_t(int, off64_t *, int, off64_t *, size_t, unsigned),
         (int from, off64_t *begin, int file, off64_t *at, size_t n, unsigned how), (from, begin, file, at, n, how))
