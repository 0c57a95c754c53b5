/* Writes every thread's stack when the recorder's thread gets no turn, though nobody can take the
 * GIL: a native call holds it, or all threads wait for each other in native code.
 *
 * What does not work: `faulthandler.dump_traceback_later`. Its thread reads the stacks while the
 * other threads go on, which has killed every CPython before 3.14 within a few dozen dumps of busy
 * threads; and they do go on where it was only this process that stood still: stopped, throttled,
 * suspended. It hangs a child that was forked while it was armed, and there is one for all.
 *
 * Hence a thread of our own, which never touches the interpreter. When there was no beat for too
 * long it makes a copy of the process, which nobody waits for by accident (it sends no signal when
 * it ends), and in which no other thread runs: that one lets faulthandler's handler of a signal
 * write into the file that was given for it. Should it crash over that, only the copy is lost. The
 * handler is known, but never installed for longer than it takes to look it up.
 *
 * Limits: the copy takes as long as `fork` does, 0.1 s of one or two GiB, in a process that
 * stood still anyway. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS_PER_LIMIT = 4 };      /* a beat is missed so late at most: by a quarter of the limit */
enum { LONGEST_DUMP_SECONDS = 5 }; /* then the copy is killed */
enum { STACK_BYTES = 256 * 1024 };
enum { MOST_WAITED = 200 }; /* for the end of the thread, in quarters of a millisecond */
enum { STACK_OF_CRASHES = 64 * 1024 };
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define FATAL_SIGNALS (sizeof fatal / sizeof *fatal)

static void (*write_stacks)(int); /* faulthandler's handler; it knows the file by the signal */
static _Atomic int signal_number;
static _Atomic int file;
static _Atomic int64_t limit_ns;
static _Atomic int64_t beat_ns; /* when the recorder's thread had its last turn; 0: stopped */
static struct stat identity; /* of the file: a daemon may have one of its own by that number */

/* One thread. Several threads of the program may fork at once, and each ends the one that there is:
 * so it belongs to whoever has taken it, with the GIL. */
typedef struct {
    pthread_t thread;
    _Atomic uint32_t is_to_end;
    _Atomic int is_over; /* it has nothing more to do */
} Watcher;
static Watcher *watcher; /* NULL: there is none */
static pid_t process;    /* whose it is */

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
pause_for(int64_t ns)
{
    struct timespec time = {ns / 1000000000, ns % 1000000000};
    nanosleep(&time, NULL);
}

/* In the copy: nothing that crashes here is told to anybody, or leaves a core file. */
static void
dump_and_end(void)
{
    struct rlimit none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        signal(fatal[i], SIG_DFL);
    }
    write_stacks(signal_number);
    _exit(0);
}

static void
dump(void)
{
    pid_t copy = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (copy == 0) {
        dump_and_end();
    }
    if (copy < 0) {
        return;
    }
    for (int64_t until = now_ns() + LONGEST_DUMP_SECONDS * (int64_t)1000000000;
         waitpid(copy, NULL, __WCLONE | WNOHANG) == 0; pause_for(5000000)) {
        if (now_ns() > until) {
            kill(copy, SIGKILL);
            waitpid(copy, NULL, __WCLONE);
            return;
        }
    }
}

static int
is_file_ours(void)
{
    struct stat found;
    return fstat(file, &found) == 0 && found.st_dev == identity.st_dev &&
           found.st_ino == identity.st_ino;
}

static void *
watch(void *begun)
{
    Watcher *own = begun;
    int64_t dumped = 0;
    for (;;) {
        int64_t ns = limit_ns / LOOKS_PER_LIMIT;
        struct timespec time = {ns / 1000000000, ns % 1000000000};
        syscall(SYS_futex, &own->is_to_end, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
        if (own->is_to_end) {
            own->is_over = 1;
            return NULL;
        }
        int64_t beat = beat_ns;
        if (beat == 0 || now_ns() - beat < limit_ns || !is_file_ours()) {
            continue;
        }
        if (beat != dumped) {
            dumped = beat;
            dump();
        }
        else {
            futimens(file, NULL); /* so that the file says until when the process was there */
        }
    }
}

/* With the GIL, where there is none. */
static int
begin_thread(void)
{
    pthread_attr_t attributes;
    sigset_t most, before;
    Watcher *begun = PyMem_RawCalloc(1, sizeof *begun);
    if (begun == NULL) {
        return ENOMEM;
    }
    sigfillset(&most);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        sigdelset(&most, fatal[i]); /* where they are blocked, a process dies without a word */
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &most, &before);
    int error = pthread_create(&begun->thread, &attributes, watch, begun);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        PyMem_RawFree(begun);
        return error;
    }
    watcher = begun;
    process = getpid();
    return 0;
}

/* With the GIL; NULL: there is none, or another thread has taken it. */
static Watcher *
take_thread(void)
{
    Watcher *taken = watcher;
    watcher = NULL;
    if (process != getpid()) { /* a child does not have its parent's */
        PyMem_RawFree(taken);
        return NULL;
    }
    return taken;
}

/* The thread ends at once, unless it is in the middle of a dump: then it is left to itself. */
static void
end_thread(Watcher *taken)
{
    if (taken == NULL) {
        return;
    }
    taken->is_to_end = 1;
    syscall(SYS_futex, &taken->is_to_end, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    for (int waited = 0; !taken->is_over && waited < MOST_WAITED; waited++) {
        pause_for(1000000 / 4);
    }
    if (taken->is_over) {
        pthread_join(taken->thread, NULL);
        PyMem_RawFree(taken);
    }
    else {
        pthread_detach(taken->thread);
    }
}

static PyObject *
hang_watch_start(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number, descriptor;
    double seconds;
    if (!PyArg_ParseTuple(arguments, "iid", &number, &descriptor, &seconds)) {
        return NULL;
    }
    struct sigaction found, none = {.sa_handler = SIG_DFL};
    if (sigaction(number, NULL, &found) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (found.sa_handler != SIG_DFL) {
        write_stacks = found.sa_handler;
        sigaction(number, &none, NULL);
    }
    if (write_stacks == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no handler is installed for that signal");
        return NULL;
    }
    end_thread(take_thread());
    if (fstat(descriptor, &identity) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    signal_number = number;
    file = descriptor;
    limit_ns = (int64_t)(seconds * 1e9);
    beat_ns = now_ns();
    if (begin_thread() != 0) {
        PyErr_SetString(PyExc_RuntimeError, "no thread can be started");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
hang_watch_beat(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    beat_ns = now_ns();
    Py_RETURN_NONE;
}

static PyObject *
hang_watch_stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    beat_ns = 0;
    Watcher *taken = take_thread();
    Py_BEGIN_ALLOW_THREADS
    end_thread(taken);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
hang_watch_pause(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    Watcher *taken = take_thread();
    Py_BEGIN_ALLOW_THREADS
    end_thread(taken);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(taken != NULL);
}

static PyObject *
hang_watch_resume(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    if (beat_ns != 0 && watcher == NULL) {
        beat_ns = now_ns();
        begin_thread(); /* where no thread can be started, nobody watches any more */
    }
    Py_RETURN_NONE;
}

/* On the main thread, as the interpreter calls it there: a stack that is full has no room for the
 * handler of a crash. faulthandler gives one only to the thread that enables it. */
static int
give_stack_for_crashes(void *Py_UNUSED(nothing))
{
    static char memory[STACK_OF_CRASHES];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory}, found;
    if (sigaltstack(NULL, &found) == 0 && found.ss_flags & SS_DISABLE) {
        sigaltstack(&own, NULL);
    }
    return 0;
}

/* faulthandler has one handler for all crashes, and puts it, or what was there before it, in the
 * place of whatever is there by now. */
static PyObject *
hang_watch_keep_handlers(PyObject *Py_UNUSED(module), PyObject *change)
{
    static void (*of_crashes)(int); /* faulthandler's */
    struct sigaction before[FATAL_SIGNALS], after;
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        sigaction(fatal[i], NULL, &before[i]);
    }
    PyObject *result = PyObject_CallNoArgs(change);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        if (before[i].sa_handler == SIG_DFL) {
            sigaction(fatal[i], NULL, &after);
            of_crashes = after.sa_handler == SIG_DFL ? of_crashes : after.sa_handler;
        }
        else if (before[i].sa_handler != of_crashes) {
            sigaction(fatal[i], &before[i], NULL);
        }
    }
    if (result != NULL && PyInterpreterState_Get() == PyInterpreterState_Main()) {
        Py_AddPendingCall(give_stack_for_crashes, NULL);
    }
    return result;
}

static PyMethodDef methods[] = {
    {"keep_handlers", hang_watch_keep_handlers, METH_O,
     "keep_handlers(change)\n--\n\nLet faulthandler be enabled or disabled, and leave alone the "
     "signals that\nthe program handles itself."},
    {"start", hang_watch_start, METH_VARARGS,
     "start(signal_number, descriptor, seconds)\n--\n\nWatch from now on. faulthandler has just "
     "been told to write into the file on\nthat signal; the signal does again what it did."},
    {"beat", hang_watch_beat, METH_NOARGS, "beat()\n--\n\nSay that all is well. 0.1 us."},
    {"stop", hang_watch_stop, METH_NOARGS, "stop()\n--\n\nWatch no more. Waits for some ms at most."},
    {"pause", hang_watch_pause, METH_NOARGS,
     "pause()\n--\n\nLet there be no thread; return whether there was one. Waits as long."},
    {"resume", hang_watch_resume, METH_NOARGS, "resume()\n--\n\nGo on after a pause."},
    {NULL, NULL, 0, NULL},
};
#else
static PyMethodDef methods[] = {{NULL, NULL, 0, NULL}};
#endif

static PyModuleDef_Slot module_slots[] = {
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_hang_watch",
    .m_doc = "Writes the stacks of all threads when there was no beat for too long.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__hang_watch(void)
{
    return PyModuleDef_Init(&module_definition);
}
