/* Delays each flush of a server that loads it with LD_PRELOAD, as a slower disk would. cc -shared -fPIC */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MICROSECONDS
#define MICROSECONDS 2000
#endif

static void wait_for_the_disk(void) {
    struct timespec delay = {0, MICROSECONDS * 1000L};
    nanosleep(&delay, 0);
}

int fdatasync(int file) {
    wait_for_the_disk();
    return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    wait_for_the_disk();
    return (int)syscall(SYS_fsync, file);
}
