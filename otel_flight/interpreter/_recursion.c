/* Callbacks that the interpreter calls in the middle of the program, also where that has called as
 * many functions within one another as it may.
 *
 * A callback in Python cannot guard itself there: calling it is what fails, before its first line.
 * `sys.monitoring` then puts that error in the place of the program's own, and garbage collection
 * writes it to standard error. So whether there is room is asked before, in C.
 *
 * Of a callback of garbage collection, the interpreter writes all errors there. One is not ours: a
 * signal handler of the host may run within the callback, and what it raises, such as a time limit,
 * is raised again in the main thread, right after the collection. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#if PY_VERSION_HEX >= 0x030e0000
#define Py_BUILD_CORE 1
#include <internal/pycore_pystate.h>
#endif

enum { CALLS_OF_A_CALLBACK = 50 }; /* more than any of ours makes within one another */
enum { STACK_OF_A_CALLBACK = 4 };  /* from Python 3.14 on; of 16 KiB each: more than those take */

static int
has_room(void)
{
    PyThreadState *thread = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030b0000
    int left = Py_GetRecursionLimit() - thread->recursion_depth;
#elif PY_VERSION_HEX < 0x030c0000
    int left = thread->recursion_remaining;
#else
    int left = thread->py_recursion_remaining;
#if PY_VERSION_HEX < 0x030e0000
    left = Py_MIN(left, thread->c_recursion_remaining);
#else
    if (_Py_RecursionLimit_GetMargin(thread) < STACK_OF_A_CALLBACK) {
        return 0;
    }
#endif
#endif
    return left > CALLS_OF_A_CALLBACK;
}

static PyObject *
call_back(PyObject *callback, PyObject *const *arguments, Py_ssize_t count)
{
    if (!has_room()) {
        Py_RETURN_NONE;
    }
    return PyObject_Vectorcall(callback, arguments, count, NULL);
}

typedef struct {
    PyObject *type, *value, *traceback;
    unsigned long thread;
} Raised;

/* What the interpreter calls in the main thread, as soon as that may be interrupted. */
static int
raise_again(void *raised)
{
    Raised it = *(Raised *)raised;
    PyMem_RawFree(raised);
    PyErr_Restore(it.type, it.value, it.traceback);
    if (it.thread == PyThread_get_thread_ident()) {
        return -1;
    }
    PyErr_WriteUnraisable(NULL); /* it was raised on another thread, by no signal handler */
    return 0;
}

static PyObject *
call_back_in_collection(PyObject *callback, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *result = call_back(callback, arguments, count);
    if (result != NULL || PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return result;
    }
    Raised it, *raised = PyMem_RawMalloc(sizeof it);
    if (raised == NULL) {
        return NULL;
    }
    PyErr_Fetch(&it.type, &it.value, &it.traceback);
    it.thread = PyThread_get_thread_ident();
    *raised = it;
    if (Py_AddPendingCall(raise_again, raised) != 0) { /* too many are waiting */
        PyMem_RawFree(raised);
        PyErr_Restore(it.type, it.value, it.traceback);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef guarded_callback = {
    "guarded_callback", (PyCFunction)(void (*)(void))call_back, METH_FASTCALL,
    "Call back where the thread has room for that; else do nothing."};

static PyObject *
recursion_guarded(PyObject *Py_UNUSED(module), PyObject *callback)
{
    return PyCFunction_New(&guarded_callback, callback);
}

static PyMethodDef guarded_in_collection = {
    "guarded_callback", (PyCFunction)(void (*)(void))call_back_in_collection, METH_FASTCALL,
    "Call back where the thread has room for that, and let errors be raised afterwards."};

static PyObject *
recursion_guarded_in_collection(PyObject *Py_UNUSED(module), PyObject *callback)
{
    return PyCFunction_New(&guarded_in_collection, callback);
}

static PyMethodDef methods[] = {
    {"guarded_in_collection", recursion_guarded_in_collection, METH_O,
     "guarded_in_collection(callback)\n--\n\nDo the same with a callback of garbage collection, "
     "whose errors are raised\nafterwards, in the main thread."},
    {"guarded", recursion_guarded, METH_O,
     "guarded(callback)\n--\n\nReturn a callback that does nothing near the recursion limit."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_recursion",
    .m_doc = "Callbacks that the interpreter calls also at the recursion limit.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__recursion(void)
{
    return PyModuleDef_Init(&module_definition);
}
