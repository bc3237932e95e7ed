/*
 * spawner_exec.c - starting one program: a child that shares our memory until it execs.
 *
 * clone(CLONE_VM | CLONE_VFORK) copies no page tables and lets the child say in our memory why it failed. The child
 * runs on a stack of its own. To be born inside a control group needs clone3, for which the C library has no function:
 * hence the few lines of assembly. Being born there costs microseconds; moving there later would cost milliseconds
 * (cgroup_threadgroup_rwsem).
 */
#include "sys/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child runs on foreign ground: no sanitizer may look at its stack. */
#if defined(__clang__)
#define NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* The thread sanitizer takes clone for fork and stops when the memory is shared; glibc has it under this name as well.
 */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifdef THREAD_SANITIZER
int __clone(int (*fn)(void *), void *stack, int flags, void *argument, ...);
#define clone __clone
#endif

_Noreturn NO_SANITIZE static void give_up(struct spawner_exec *exec, enum spawn_stage stage, int error)
{
    exec->stage = stage;
    exec->error = error;
    for (;;) (void)syscall(SYS_exit_group, 127);
}

/* exec, and a text without "#!" goes to the shell, as execvp(3) has it. Returns errno. */
NO_SANITIZE static int try_exec(struct spawner_exec *exec, const char *path)
{
    syscall(SYS_execve, path, exec->argv, exec->env);
    if (errno == ENOEXEC) {
        char *name = exec->argv[0];

        exec->argv[-1] = (char[]){"/bin/sh"};
        exec->argv[0] = (char *)(uintptr_t)path;
        syscall(SYS_execve, "/bin/sh", exec->argv - 1, exec->env);
        exec->argv[0] = name;
        return ENOEXEC;
    }
    return errno;
}

NO_SANITIZE static int search_and_exec(struct spawner_exec *exec)
{
    const char *name = exec->argv[0], *path = "/usr/local/bin:/usr/bin:/bin";
    char candidate[PATH_MAX];
    size_t name_size = 0;
    int error = ENOENT;

    while (name[name_size]) {
        if (name[name_size++] == '/') return try_exec(exec, name);
    }
    if (name_size == 0 || name_size > NAME_MAX) return ENOENT;
    for (char **env = exec->env; *env; env++) {
        if ((*env)[0] == 'P' && (*env)[1] == 'A' && (*env)[2] == 'T' && (*env)[3] == 'H' && (*env)[4] == '=')
            path = *env + 5;
    }
    for (;;) {
        size_t size = 0;

        while (path[size] && path[size] != ':') size++;
        if (size + name_size + 2 <= sizeof(candidate)) {
            size_t at = 0;
            int code;

            for (; at < size; at++) candidate[at] = path[at];
            if (at > 0) candidate[at++] = '/'; /* an empty entry is the working directory */
            for (size_t i = 0; i <= name_size; i++) candidate[at++] = name[i];
            code = try_exec(exec, candidate);
            if (code == EACCES)
                error = EACCES; /* there, but not for us: remembered, in case there is no better one */
            else if (code != ENOENT && code != ENOTDIR && code != ESTALE && code != ENODEV && code != ETIMEDOUT)
                return code;
        }
        if (!path[size]) return error;
        path += size + 1;
    }
}

NO_SANITIZE static int child_main(void *argument)
{
    struct spawner_exec *exec = argument;
    struct rlimit limit = {.rlim_cur = exec->tag, .rlim_max = exec->tag_max};
    sigset_t none;

    if (syscall(SYS_setpgid, 0, 0) != 0) give_up(exec, SPAWN_STAGE_PREPARE, errno);
    (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (syscall(SYS_getppid) != exec->parent)
        give_up(exec, SPAWN_STAGE_PREPARE, ECHILD); /* it died before we asked to be told */
    if (exec->directory[0] && syscall(SYS_chdir, exec->directory) != 0) give_up(exec, SPAWN_STAGE_DIRECTORY, errno);
    for (int i = 0; i < 3; i++) {
        if (exec->fds[i] >= 0 && dup2(exec->fds[i], i) < 0) give_up(exec, SPAWN_STAGE_PREPARE, errno);
    }
    (void)syscall(SYS_prlimit64, 0, RLIMIT_RTTIME, &limit,
                  NULL); /* refused where the hard limit is small: the other marks remain */
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) give_up(exec, SPAWN_STAGE_PREPARE, errno);
    give_up(exec, SPAWN_STAGE_EXEC, search_and_exec(exec));
}

#if defined(__x86_64__)
#define HAVE_CLONE3 1
/* The child gets a new stack and must not return through our frame: it calls child_main on it and never comes back. */
NO_SANITIZE static long clone3_call(struct clone_args *args, int (*fn)(void *), void *argument)
{
    register int (*fn_register)(void *) __asm__("r12") = fn;
    register void *argument_register __asm__("r13") = argument;
    long result;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(fn_register), "r"(argument_register)
                     : "rcx", "r11", "memory", "cc");
    return result;
}
#elif defined(__aarch64__)
#define HAVE_CLONE3 1
NO_SANITIZE static long clone3_call(struct clone_args *args, int (*fn)(void *), void *argument)
{
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)(uintptr_t)args;
    register long size __asm__("x1") = (long)sizeof(*args);
    register int (*fn_register)(void *) __asm__("x19") = fn;
    register void *argument_register __asm__("x20") = argument;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x20\n\t"
                     "blr x19\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(result)
                     : "r"(number), "r"(size), "r"(fn_register), "r"(argument_register)
                     : "x30", "memory", "cc");
    return result;
}
#else
#define HAVE_CLONE3 0
#endif

#if HAVE_CLONE3
NO_SANITIZE static int child_probe(void *argument)
{
    (void)syscall(SYS_exit_group, 0);
    return argument != NULL; /* not reached */
}
#endif

bool spawner_exec_probe(int cgroup_fd, char *stack, size_t stack_size)
{
#if HAVE_CLONE3
    struct clone_args args = {.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
                              .exit_signal = SIGCHLD,
                              .stack = (uint64_t)(uintptr_t)stack,
                              .stack_size = stack_size,
                              .cgroup = (uint64_t)cgroup_fd};
    long pid = clone3_call(&args, child_probe, NULL);
    int status = -1;

    if (pid < 0) return false;
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
#else
    (void)cgroup_fd;
    (void)stack;
    (void)stack_size;
    return false;
#endif
}

/* clone3 when the system has it; errno as usual. cgroup_fd -1: no group of its own. */
static pid_t clone_child(struct spawner_exec *exec)
{
#if HAVE_CLONE3
    struct clone_args args = {.flags = CLONE_VM | CLONE_VFORK | (exec->cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                              .exit_signal = SIGCHLD,
                              .stack = (uint64_t)(uintptr_t)exec->stack,
                              .stack_size = exec->stack_size,
                              .cgroup = exec->cgroup_fd >= 0 ? (uint64_t)exec->cgroup_fd : 0};
    long result = clone3_call(&args, child_main, exec);

    if (result >= 0) return (pid_t)result;
    errno = (int)-result;
    /* Filters of system calls know clone and not always clone3. */
    if (exec->cgroup_fd >= 0 || (errno != ENOSYS && errno != EPERM)) return -1;
#else
    if (exec->cgroup_fd >= 0) {
        errno = ENOSYS;
        return -1;
    }
#endif
    return clone(child_main, exec->stack + exec->stack_size, CLONE_VM | CLONE_VFORK | SIGCHLD, exec);
}

pid_t spawner_exec(struct spawner_exec *exec)
{
    exec->error = 0;
    exec->stage = SPAWN_STAGE_EXEC;
    exec->cgroup_failed = false;

    pid_t pid = clone_child(exec);

    if (pid < 0 && exec->cgroup_fd >= 0 && errno != EAGAIN && errno != ENOMEM) {
        exec->cgroup_failed = true;
        return -1;
    }
    if (pid < 0) {
        exec->error = errno;
        exec->stage = SPAWN_STAGE_PREPARE;
        return -1;
    }
    if (exec->error != 0) { /* it is over already */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return -1;
    }
    return pid;
}
