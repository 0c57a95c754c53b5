/* What stands in front of the handler of the signal that ends the process; see termination.py.
 *
 * Python runs a handler when the main thread comes back from native code, which may be never. Here
 * the kernel calls: this notes that the signal came, sets a timer that sends it again, and goes on
 * to the handler that was there. Whoever of us gets the GIL first finishes; if nobody gets it, or
 * finishing takes too long, the second signal kills as if we were not there.
 *
 * Only functions that are safe in a signal handler are called in one; what it reads and writes is
 * of sig_atomic_t, or is not changed while it may run. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
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
    struct sigaction before;            /* the handler that was there */
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
on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    if (!state.is_armed || getpid() != state.pid) {
        die(number); /* a forked child is not armed by its parent */
    } else if (state.came++ == 0) {
        set_timer(state.patience_ns);
        if (state.before.sa_flags & SA_SIGINFO) {
            state.before.sa_sigaction(number, info, context);
        } else if (state.before.sa_handler != SIG_DFL && state.before.sa_handler != SIG_IGN) {
            state.before.sa_handler(number);
        }
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

static PyObject *
stand_in_front(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number;
    struct sigaction now, action;
    if (!PyArg_ParseTuple(arguments, "i", &number)) {
        return NULL;
    }
    if (sigaction(number, NULL, &now) != 0 || (is_ours(&now) && state.pid == getpid())) {
        Py_RETURN_NONE;
    }
    if (!is_ours(&now)) {
        state.before = now;
    }
    if (state.pid != getpid()) { /* a child has no timers of its parent's */
        state.is_armed = state.came = 0;
        state.pid = getpid();
        make_timer(number);
    }
    state.number = number;
    action = state.before;
    action.sa_sigaction = on_signal;
    action.sa_flags |= SA_SIGINFO;
    if (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL) {
        action.sa_flags |= SA_RESTART | SA_ONSTACK; /* nothing of the program is interrupted */
    }
    state.is_in_front = sigaction(number, &action, NULL) == 0;
    Py_RETURN_NONE;
}

static PyObject *
is_default(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int number;
    struct sigaction now;
    if (!PyArg_ParseTuple(arguments, "i", &number)) {
        return NULL;
    }
    return PyBool_FromLong(
        PyInterpreterState_Get() == PyInterpreterState_Main()
        && sigaction(number, NULL, &now) == 0
        && (is_ours(&now) || (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)));
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
    {"is_default", is_default, METH_VARARGS,
     "is_default(number)\n--\n\nReturn whether nobody handles a signal, in C neither, but us; not so "
     "in a subinterpreter."},
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
    .m_name = "otel_flight._last_signal",
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
