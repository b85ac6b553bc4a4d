/*
 * Lets a program believe that its machine was suspended: the seconds in the file that PEERTAP_ASLEEP names are
 * added to CLOCK_BOOTTIME, as the kernel adds those of a suspend. To be loaded before the C library.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
  int result = syscall(SYS_clock_gettime, clock, time);
  const char *path = getenv("PEERTAP_ASLEEP");
  if (result == 0 && clock == CLOCK_BOOTTIME && path != NULL) {
    char text[16] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    if (file >= 0) close(file);
  }
  return result;
}
