/* What stands in front of the handler of the signal that ends the process; see termination.py.
 *
 * Python runs a handler when the main thread comes back from native code, which may be never. Here
 * the kernel calls: this notes that the signal came, sets a timer that sends it again, and goes on
 * to the handler that was there. Whoever of us gets the GIL first finishes; if nobody gets it, or
 * finishing takes too long, the second signal kills as if we were not there.
 *
 * In front of a handler of the program's it only notes when the signal came, also in the ring: the
 * program may end past us, as a server does that restores the default action and kills itself.
 *
 * Only functions that are safe in a signal handler are called in one; what it reads and writes is
 * of sig_atomic_t, an aligned word, or is not changed while it may run. */

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* first: it asks for dladdr and the like */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#define HAS_TIMERS 1
#else
#define HAS_TIMERS 0
#endif

static struct {
    volatile sig_atomic_t is_armed;     /* there is something to finish */
    volatile sig_atomic_t came;         /* how often the signal did, since it was armed */
    volatile sig_atomic_t is_seen;      /* one of us works on it */
    volatile sig_atomic_t is_extended;  /* and was given the rest of the time */
    pid_t pid;
    int number;
    int is_in_front;
    volatile sig_atomic_t is_watching;  /* the handler behind is the program's */
    volatile int64_t last_ns;           /* when it came last, by the wall clock; 0: never */
    volatile int64_t *word;             /* where that is noted, too: in the ring */
    struct sigaction before;            /* the handler that was there */
    void (*of_python)(int);             /* the one that Python sets for any signal, once known */
    int64_t patience_ns;                /* until somebody must have seen it */
    int64_t rest_ns;                    /* after that, for finishing */
#if HAS_TIMERS
    timer_t timer;
    int has_timer;
#endif
} state;

static void
set_timer(int64_t nanoseconds)
{
#if HAS_TIMERS
    if (state.has_timer) {
        struct itimerspec when;
        memset(&when, 0, sizeof when);
        when.it_value.tv_sec = (time_t)(nanoseconds / 1000000000);
        when.it_value.tv_nsec = (long)(nanoseconds % 1000000000);
        timer_settime(state.timer, 0, &when, NULL);
    }
#else
    (void)nanoseconds;
#endif
}

static int
is_of_timer(const siginfo_t *info)
{
#if HAS_TIMERS
    return info != NULL && info->si_code == SI_TIMER && info->si_value.sival_ptr == &state;
#else
    (void)info;
    return 0;
#endif
}

/* Sends the signal with its default action, which is to end the process. */
static void
die(int number)
{
    struct sigaction action;
    sigset_t only;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, NULL);
    kill(getpid(), number);
    sigemptyset(&only);
    sigaddset(&only, number);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

static void
note(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    state.last_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (state.word != NULL) {
        *state.word = state.last_ns;
    }
}

static void
go_on(int number, siginfo_t *info, void *context)
{
    if (state.before.sa_flags & SA_SIGINFO) {
        state.before.sa_sigaction(number, info, context);
    } else if (state.before.sa_handler != SIG_DFL && state.before.sa_handler != SIG_IGN) {
        state.before.sa_handler(number);
    }
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    int is_here = getpid() == state.pid; /* a forked child is not armed by its parent */
    if (is_here) {
        note();
    }
    if (state.is_watching) {
        go_on(number, info, context);
    } else if (!state.is_armed || !is_here) {
        die(number);
    } else if (state.came++ == 0) {
        set_timer(state.patience_ns);
        go_on(number, info, context);
    } else if (is_of_timer(info) && state.is_seen && !state.is_extended) {
        state.is_extended = 1;
        set_timer(state.rest_ns);
    } else {
        die(number);
    }
    errno = error;
}

static int
is_ours(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_signal;
}

static void
make_timer(int number)
{
#if HAS_TIMERS
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = number;
    event.sigev_value.sival_ptr = &state;
    state.has_timer = timer_create(CLOCK_MONOTONIC, &event, &state.timer) == 0;
#else
    (void)number;
#endif
}

static void
begin_here(int number)
{
    state.number = number;
    if (state.pid != getpid()) { /* a child has no timers of its parent's */
        state.is_armed = state.came = 0;
        state.last_ns = 0;
        state.pid = getpid();
        make_timer(number);
    }
}

static void
put_in_front(int number, const struct sigaction *now)
{
    struct sigaction action = state.before;
    action.sa_sigaction = on_signal;
    action.sa_flags |= SA_SIGINFO;
    if (!(now->sa_flags & SA_SIGINFO) && now->sa_handler == SIG_DFL) {
        action.sa_flags |= SA_RESTART | SA_ONSTACK; /* nothing of the program is interrupted */
    }
    state.is_in_front = sigaction(number, &action, NULL) == 0;
}

/* Whether Python has set this handler, which is the same for all signals. One of another library may
 * call the one that it has found: if that was this here, they would call each other for ever. */
static int
is_of_python(int number, const struct sigaction *action)
{
    struct sigaction other;
    if (action->sa_flags & SA_SIGINFO || action->sa_handler == SIG_DFL
        || action->sa_handler == SIG_IGN) {
        return 0;
    }
    if (state.of_python != NULL) {
        return action->sa_handler == state.of_python;
    }
    for (int each = 1; each < NSIG; each++) {
        if (each != number && sigaction(each, NULL, &other) == 0
            && !(other.sa_flags & SA_SIGINFO) && other.sa_handler == action->sa_handler) {
            return 1;
        }
    }
    /* What a shell starts in the background ignores SIGINT: no other signal has a handler then. */
    Dl_info of_handler, of_interpreter;
    return dladdr((void *)(uintptr_t)action->sa_handler, &of_handler) != 0
        && dladdr((void *)(uintptr_t)&PyOS_setsig, &of_interpreter) != 0
        && of_handler.dli_fbase == of_interpreter.dli_fbase;
}

static PyObject *
stand_in_front(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number;
    struct sigaction now;
    if (!PyArg_ParseTuple(arguments, "i", &number)) {
        return NULL;
    }
    if (sigaction(number, NULL, &now) != 0
        || (is_ours(&now) && state.pid == getpid() && !state.is_watching)) {
        Py_RETURN_NONE;
    }
    if (!is_ours(&now)) {
        state.before = now;
        if (now.sa_handler != SIG_DFL) {
            state.of_python = now.sa_handler; /* set just before this call */
        }
    }
    begin_here(number);
    state.is_watching = 0;
    put_in_front(number, &now);
    Py_RETURN_NONE;
}

static PyObject *
watch(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number;
    struct sigaction now;
    if (!PyArg_ParseTuple(arguments, "i", &number)) {
        return NULL;
    }
    if (PyInterpreterState_Get() != PyInterpreterState_Main()
        || sigaction(number, NULL, &now) != 0) {
        Py_RETURN_FALSE;
    }
    if (is_ours(&now) && state.pid == getpid()) {
        return PyBool_FromLong(state.is_watching);
    }
    if (!is_of_python(number, &now)) {
        Py_RETURN_FALSE;
    }
    state.before = now;
    state.of_python = now.sa_handler;
    begin_here(number);
    state.is_watching = 1;
    put_in_front(number, &now);
    return PyBool_FromLong(state.is_in_front);
}

/* Maps the first page of a file, or none. What was mapped is replaced and never unmapped: a handler
 * may be writing there just now, on another thread. */
static char *
map_page(int descriptor)
{
    static char *page;
    if (page != NULL || descriptor >= 0) {
        int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
        void *mapped = mmap(page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                            flags | (page == NULL ? 0 : MAP_FIXED), descriptor, 0);
        page = mapped == MAP_FAILED ? NULL : mapped;
    }
    return page;
}

static void
note_nowhere(void)
{
    state.word = NULL;
    map_page(-1);
}

static PyObject *
note_in(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int descriptor, offset;
    Py_buffer start;
    struct stat file;
    if (!PyArg_ParseTuple(arguments, "iiy*", &descriptor, &offset, &start)) {
        return NULL;
    }
    state.word = NULL;
    if (fstat(descriptor, &file) == 0 && file.st_size >= sysconf(_SC_PAGESIZE)) {
        char *page = map_page(descriptor);
        if (page != NULL && memcmp(page, start.buf, (size_t)start.len) == 0) {
            state.word = (volatile int64_t *)(page + offset);
        } else {
            note_nowhere();
        }
    }
    PyBuffer_Release(&start);
    Py_RETURN_NONE;
}

static PyObject *
last_ns(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    return PyLong_FromLongLong(state.pid == getpid() ? state.last_ns : 0);
}

static PyObject *
is_free(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number, is_handled;
    struct sigaction now;
    if (!PyArg_ParseTuple(arguments, "ip", &number, &is_handled)) {
        return NULL;
    }
    return PyBool_FromLong(
        PyInterpreterState_Get() == PyInterpreterState_Main()
        && sigaction(number, NULL, &now) == 0
        && (is_ours(&now) || (is_handled && is_of_python(number, &now))
            || (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)));
}

static PyObject *
step_aside(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    struct sigaction now;
    state.is_armed = 0;
    if (state.is_in_front && sigaction(state.number, NULL, &now) == 0 && is_ours(&now)) {
        sigaction(state.number, &state.before, NULL);
    }
    state.is_in_front = 0;
    note_nowhere();
#if HAS_TIMERS
    if (state.has_timer && state.pid == getpid()) {
        timer_delete(state.timer);
    }
    state.has_timer = 0;
#endif
    state.pid = 0;
    Py_RETURN_NONE;
}

static PyObject *
arm(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    double patience, limit;
    if (!PyArg_ParseTuple(arguments, "dd", &patience, &limit)) {
        return NULL;
    }
    state.is_armed = 0;
    state.patience_ns = (int64_t)((patience < limit ? patience : limit) * 1e9) + 1;
    state.rest_ns = (int64_t)((limit > patience ? limit - patience : 0) * 1e9) + 1;
    state.came = state.is_seen = state.is_extended = 0;
    state.is_armed = 1;
    Py_RETURN_NONE;
}

static PyObject *
disarm(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    state.is_armed = 0;
    set_timer(0);
    Py_RETURN_NONE;
}

static PyObject *
has_come(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(state.is_armed && state.came && state.pid == getpid());
}

static PyObject *
see(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    state.is_seen = 1;
    Py_RETURN_NONE;
}

static PyObject *
end(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number;
    if (!PyArg_ParseTuple(arguments, "i", &number)) {
        return NULL;
    }
    die(number);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"stand_in_front", stand_in_front, METH_VARARGS,
     "stand_in_front(number)\n--\n\nStand in front of a signal's handler."},
    {"watch", watch, METH_VARARGS,
     "watch(number)\n--\n\nNote when a signal comes that Python has a handler for; return whether "
     "that is possible."},
    {"note_in", note_in, METH_VARARGS,
     "note_in(descriptor, offset, start)\n--\n\nNote it in a file, too, if that starts like this."},
    {"last_ns", last_ns, METH_NOARGS,
     "last_ns()\n--\n\nReturn when the signal came last, by the wall clock; 0: never."},
    {"is_free", is_free, METH_VARARGS,
     "is_free(number, is_handled)\n--\n\nReturn whether nobody handles a signal in C but us and, where "
     "Python has a handler, Python; not so in a subinterpreter."},
    {"step_aside", step_aside, METH_NOARGS,
     "step_aside()\n--\n\nLeave the signal to its handler again."},
    {"arm", arm, METH_VARARGS,
     "arm(patience_seconds, limit_seconds)\n--\n\nLet the signal wait for us, no longer than that."},
    {"disarm", disarm, METH_NOARGS, "disarm()\n--\n\nLet it kill at once."},
    {"has_come", has_come, METH_NOARGS,
     "has_come()\n--\n\nReturn whether it came since it was armed."},
    {"see", see, METH_NOARGS, "see()\n--\n\nSay that somebody works on it: the limit holds now."},
    {"end", end, METH_VARARGS,
     "end(number)\n--\n\nEnd the process by the signal's default action. Any thread."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.running.ends._last_signal",
    .m_doc = "Stands in front of the handler of the signal that ends the process.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__last_signal(void)
{
    return PyModuleDef_Init(&definition);
}
