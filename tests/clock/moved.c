/* The clock of the day, moved by as many nanoseconds as stand in the file that MOVED_CLOCK names.
   After them stands when that began: files that were written since then are as old as the moved
   clock says, or ClickHouse would remove what it writes as left behind yesterday.

   Preloaded into whatever tests start. Other than libfaketime 0.9 it leaves the clock that waits
   are measured with as it is (Python's sleep() fails otherwise), and it moves in all processes at
   once when the file changes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const int64_t still[2];
static const volatile int64_t *moved = still;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MOVED_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof still, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) moved = found;
    close(file);
}

static void move(struct timespec *at, int64_t by) {
    int64_t all = at->tv_sec * SECOND + at->tv_nsec + by;
    at->tv_sec = all / SECOND;
    at->tv_nsec = all % SECOND;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, which, at);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) move(at, *moved);
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

/* Who waits until a time of the moved clock waits until the true one. */
#define TRUE_TIME(at) struct timespec until = *(at); move(&until, -*moved)

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                           const struct timespec *at) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    /* glibc keeps the clock of a condition in a bit of its own. */
    if (condition->__data.__wrefs & 2) return real(condition, mutex, at);
    TRUE_TIME(at);
    return real(condition, mutex, &until);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict at) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
    TRUE_TIME(at);
    return real(semaphore, &until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict at) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    TRUE_TIME(at);
    return real(mutex, &until);
}

/* Of 1970 is what has no time, of before the beginning what tests found. */
static void age(struct timespec *written) {
    if (written->tv_sec * SECOND + written->tv_nsec >= moved[1]) move(written, *moved);
}

static int aged(int failed, struct stat *of) {
    if (!failed) {
        age(&of->st_mtim);
        age(&of->st_ctim);
    }
    return failed;
}

#define STAT(name, types, ...)                                                                     \
    int name types {                                                                               \
        static int(*real) types;                                                                   \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                                 \
        return aged(real(__VA_ARGS__), (struct stat *)of);                                         \
    }

STAT(stat, (const char *restrict path, struct stat *restrict of), path, of)
STAT(lstat, (const char *restrict path, struct stat *restrict of), path, of)
STAT(fstat, (int file, struct stat *of), file, of)
STAT(fstatat, (int at, const char *restrict path, struct stat *restrict of, int how), at, path, of, how)
STAT(stat64, (const char *restrict path, struct stat64 *restrict of), path, of)
STAT(lstat64, (const char *restrict path, struct stat64 *restrict of), path, of)
STAT(fstat64, (int file, struct stat64 *of), file, of)
STAT(fstatat64, (int at, const char *restrict path, struct stat64 *restrict of, int how), at, path, of, how)
/* What was compiled with an older glibc. */
STAT(__xstat, (int version, const char *path, struct stat *of), version, path, of)
STAT(__lxstat, (int version, const char *path, struct stat *of), version, path, of)
STAT(__fxstat, (int version, int file, struct stat *of), version, file, of)
STAT(__xstat64, (int version, const char *path, struct stat64 *of), version, path, of)
STAT(__lxstat64, (int version, const char *path, struct stat64 *of), version, path, of)
STAT(__fxstat64, (int version, int file, struct stat64 *of), version, file, of)
