/* The stacks of other threads and of waiting coroutines, as plain data; frames_in_python.py does the
 * same without C, as far as that can be done.
 *
 * What does not work: `frame.f_back`, `frame.f_locals` and `coroutine.cr_frame` make objects that
 * stay with the call. Making one may start a collection (until Python 3.11), which runs Python code,
 * which releases the GIL; then the other thread goes on, leaves the frame that is being looked at,
 * and its memory is used again. And `f_locals` is one dictionary for everybody who asks (until
 * Python 3.12). Hence: read what the interpreter itself keeps of a call, and write nothing.
 *
 * Why that is safe: from the first look to the last, nothing here runs Python code or releases the
 * GIL, and collections are off. All threads of this interpreter that have a Python call are at a
 * place where they released the GIL, so their calls are whole. Threads are taken from
 * `sys._current_frames()`, which has the interpreter's lock for the list of threads; it makes the
 * innermost frame of each into an object, which is all that stays. Its limit: from Python 3.12 on,
 * that function goes through the threads of all interpreters, and those with a GIL of their own do
 * not stop for it, so while there is another interpreter nothing is looked at.
 *
 * The layout of a call differs between minor versions of Python, and not within them. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>
#include <unistd.h>

#if PY_VERSION_HEX >= 0x03100000
#error "this version of Python keeps its calls in another way than is known here"
#endif
#if PY_VERSION_HEX >= 0x030b0000
#define Py_BUILD_CORE 1
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#endif
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_tstate.h>
#endif
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif
#endif

typedef struct {
    PyTypeObject *frame_type;
    PyObject *current_frames; /* sys._current_frames */
    long pid; /* of the process as far as Python knows */
    PyObject *cr_await; /* these are names of attributes */
    PyObject *gi_yieldfrom;
    PyObject *ag_await;
    PyObject *module;
} State;

/* ---- what the interpreter keeps of a call ---------------------------------------------------- */

#if PY_VERSION_HEX < 0x030b0000

typedef PyFrameObject Call;

static inline Call *call_of_frame(PyFrameObject *frame) { return frame; }
static inline Call *caller_of(Call *call) { return call->f_back; }
static inline PyCodeObject *code_of(Call *call) { return call->f_code; }
static inline PyObject *globals_of(Call *call) { return call->f_globals; }
static inline PyObject *namespace_of(Call *call) { return call->f_locals; }

static inline int
offset_of(Call *call)
{
    return call->f_lasti < 0 ? -1 : call->f_lasti * (int)sizeof(_Py_CODEUNIT);
}

static inline Call *
call_of_generator(PyObject *generator)
{
    return ((PyGenObject *)generator)->gi_frame;
}

static inline Py_ssize_t
variables_in(PyCodeObject *code)
{
    return code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars)
        + PyTuple_GET_SIZE(code->co_freevars);
}

/* Borrowed; NULL: it has no value. */
static PyObject *
variable_at(Call *call, Py_ssize_t index)
{
    PyObject *value = call->f_localsplus[index];
    int is_in_cell = index >= call->f_code->co_nlocals;
    return value != NULL && is_in_cell && PyCell_Check(value) ? PyCell_GET(value) : value;
}

static PyObject *
variable_name(PyCodeObject *code, Py_ssize_t index)
{
    PyObject *groups[] = {code->co_varnames, code->co_cellvars, code->co_freevars};
    for (int group = 0; group < 3; group++) {
        Py_ssize_t size = group == 0 ? code->co_nlocals : PyTuple_GET_SIZE(groups[group]);
        if (index < size) {
            return PyTuple_GET_ITEM(groups[group], index);
        }
        index -= size;
    }
    return NULL;
}

#else

typedef _PyInterpreterFrame Call;

/* A call that is being set up, or one of C, is no frame of Python. */
static inline Call *
complete(Call *call)
{
    while (call != NULL && _PyFrame_IsIncomplete(call)) {
        call = call->previous;
    }
    return call;
}

static inline Call *call_of_frame(PyFrameObject *frame) { return complete(frame->f_frame); }
static inline Call *caller_of(Call *call) { return complete(call->previous); }
static inline PyObject *globals_of(Call *call) { return call->f_globals; }
static inline PyObject *namespace_of(Call *call) { return call->f_locals; }

static inline PyCodeObject *
code_of(Call *call)
{
#if PY_VERSION_HEX >= 0x030d0000
    return _PyFrame_GetCode(call);
#else
    return call->f_code;
#endif
}

static inline int
offset_of(Call *call)
{
    int instruction = _PyInterpreterFrame_LASTI(call);
    return instruction < 0 ? -1 : instruction * (int)sizeof(_Py_CODEUNIT);
}

static inline Call *
call_of_generator(PyObject *generator)
{
    PyGenObject *found = (PyGenObject *)generator;
#if PY_VERSION_HEX >= 0x030e0000
    return FRAME_STATE_FINISHED(found->gi_frame_state) ? NULL : &found->gi_iframe;
#else
    return found->gi_frame_state >= FRAME_COMPLETED ? NULL : (Call *)found->gi_iframe;
#endif
}

static inline Py_ssize_t variables_in(PyCodeObject *code) { return code->co_nlocalsplus; }

#ifndef CO_FAST_HIDDEN
#define CO_FAST_HIDDEN 0
#endif

/* From Python 3.14 on, the low bits of a reference say whether it is counted. */
static PyObject *
variable_at(Call *call, Py_ssize_t index)
{
#if PY_VERSION_HEX >= 0x030e0000
    PyObject *value = PyStackRef_AsPyObjectBorrow(call->localsplus[index]);
#else
    PyObject *value = call->localsplus[index];
#endif
    char kind = PyBytes_AS_STRING(code_of(call)->co_localspluskinds)[index];
    if (kind & CO_FAST_HIDDEN) {
        return NULL;
    }
    int is_in_cell = kind & (CO_FAST_CELL | CO_FAST_FREE);
    return value != NULL && is_in_cell && PyCell_Check(value) ? PyCell_GET(value) : value;
}

static inline PyObject *
variable_name(PyCodeObject *code, Py_ssize_t index)
{
    return PyTuple_GET_ITEM(code->co_localsplusnames, index);
}

#endif

/* ---- frames as data -------------------------------------------------------------------------- */

/* Garbage collection does not know these: there are thousands, and each that it knows brings the
 * next collection nearer. What they hold leads to no frame, so there is no cycle. */
typedef struct {
    PyObject_HEAD
    PyCodeObject *code;
    PyObject *owner; /* the id of the thread, or a weak reference to the coroutine it began with */
    void *key;
    int offset;
} Frame;

static void
Frame_dealloc(Frame *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->code);
    Py_XDECREF(self->owner);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
Frame_line(Frame *self, void *Py_UNUSED(closure))
{
    int line = PyCode_Addr2Line(self->code, self->offset);
    return PyLong_FromLong(line < 0 ? 0 : line);
}

static PyObject *
Frame_key(Frame *self, void *Py_UNUSED(closure))
{
    return PyLong_FromVoidPtr(self->key);
}

static PyMemberDef Frame_members[] = {
    {"code", T_OBJECT_EX, offsetof(Frame, code), READONLY, "What is being run."},
    {"offset", T_INT, offsetof(Frame, offset), READONLY, "Of the instruction that it is at."},
    {"owner", T_OBJECT_EX, offsetof(Frame, owner), READONLY,
     "The id of the thread, or a weak reference to the coroutine that the stack begins with."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef Frame_getset[] = {
    {"line", (getter)Frame_line, NULL, "Of the source file; 0: not known.", NULL},
    {"key", (getter)Frame_key, NULL, "Which other calls do not have while this one runs.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Frame_slots[] = {
    {Py_tp_doc, "A call, as it stood at one moment; it keeps alive the code alone."},
    {Py_tp_dealloc, Frame_dealloc},
    {Py_tp_members, Frame_members},
    {Py_tp_getset, Frame_getset},
    {0, NULL},
};

static PyType_Spec Frame_spec = {
    .name = "otel_flight.interpreter._frames.Frame",
    .basicsize = sizeof(Frame),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Frame_slots,
};

static PyObject *
new_frame(State *state, Call *call, PyObject *owner)
{
    Frame *self = PyObject_New(Frame, state->frame_type);
    if (self == NULL) {
        return NULL;
    }
    self->code = (PyCodeObject *)Py_NewRef(code_of(call));
    self->owner = Py_NewRef(owner);
    self->key = call;
    self->offset = offset_of(call);
    return (PyObject *)self;
}

/* The callers of a call, outermost first, and itself. */
static PyObject *
stack_of_call(State *state, Call *innermost, PyObject *owner, Py_ssize_t most)
{
    Py_ssize_t depth = 0;
    for (Call *call = innermost; call != NULL && depth < most; call = caller_of(call)) {
        depth++;
    }
    PyObject *stack = PyTuple_New(depth);
    for (Call *call = innermost; stack != NULL && depth > 0; call = caller_of(call)) {
        PyObject *frame = new_frame(state, call, owner);
        if (frame == NULL) {
            Py_CLEAR(stack);
            break;
        }
        PyTuple_SET_ITEM(stack, --depth, frame);
    }
    return stack;
}

/* ---- threads --------------------------------------------------------------------------------- */

static int
is_alone(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyInterpreterState_Head() == PyInterpreterState_Main(); /* the newest is the first */
#else
    return 1; /* they all have one GIL */
#endif
}

/* Servers that have Python inside fork without telling it: uWSGI does. The interpreter of the child
 * then goes on listing the threads of the parent, and their calls, whose memory is used again; only
 * the thread that forked is there. From Python 3.11 on, `sys._current_frames()` reads that memory. */
#if PY_VERSION_HEX >= 0x030b0000

static int
is_living(State *state, PyThreadState *thread)
{
    char path[64];
    if (thread->native_thread_id == (unsigned long)state->pid) {
        return 1; /* the parent's main thread: it forked, and goes on under another id */
    }
    snprintf(path, sizeof path, "/proc/self/task/%lu", thread->native_thread_id);
    return access(path, F_OK) == 0;
}

static PyObject *
frames_of_living(State *state)
{
    PyObject *found = PyDict_New();
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; found != NULL && thread != NULL; thread = PyThreadState_Next(thread)) {
        if (!is_living(state, thread)) {
            continue;
        }
        PyObject *id = PyLong_FromUnsignedLong(thread->thread_id);
        PyObject *frame = (PyObject *)PyThreadState_GetFrame(thread);
        if (id == NULL || (frame != NULL && PyDict_SetItem(found, id, frame) < 0)) {
            Py_CLEAR(found);
        }
        Py_XDECREF(frame);
        Py_XDECREF(id);
    }
    return found;
}

#endif

static PyObject *
frames_of_all(State *state)
{
#if PY_VERSION_HEX >= 0x030b0000
    if (state->pid != (long)getpid()) {
        return frames_of_living(state);
    }
#endif
    return PyObject_CallNoArgs(state->current_frames);
}

/* The innermost frame of each thread by its id; none while that cannot be told. To be called with
 * collections off. */
static PyObject *
innermost_frames(State *state)
{
    PyObject *found = is_alone() ? frames_of_all(state) : PyDict_New();
    if (found != NULL && !PyDict_CheckExact(found)) {
        Py_CLEAR(found);
        PyErr_SetString(PyExc_TypeError, "sys._current_frames() is another one");
    }
    return found;
}

static PyObject *
all_stacks(State *state, PyObject *innermost, Py_ssize_t most)
{
    PyObject *stacks = PyDict_New();
    PyObject *thread_id, *frame;
    Py_ssize_t at = 0;
    unsigned long own_id = PyThread_get_thread_ident();
    while (stacks != NULL && PyDict_Next(innermost, &at, &thread_id, &frame)) {
        if (!PyFrame_Check(frame) || PyLong_AsUnsignedLong(thread_id) == own_id) {
            continue;
        }
        Call *call = call_of_frame((PyFrameObject *)frame);
        PyObject *stack = stack_of_call(state, call, thread_id, most);
        if (stack == NULL || PyDict_SetItem(stacks, thread_id, stack) < 0) {
            Py_CLEAR(stacks);
        }
        Py_XDECREF(stack);
    }
    return stacks;
}

static PyObject *
frames_stacks(PyObject *module, PyObject *argument)
{
    State *state = PyModule_GetState(module);
    Py_ssize_t most = PyLong_AsSsize_t(argument);
    if (most == -1 && PyErr_Occurred()) {
        return NULL;
    }
    int was_collecting = PyGC_Disable();
    PyObject *innermost = innermost_frames(state);
    PyObject *stacks = innermost != NULL ? all_stacks(state, innermost, most) : NULL;
    Py_XDECREF(innermost);
    if (was_collecting) {
        PyGC_Enable();
    }
    return stacks;
}

/* Borrowed; NULL without an error: there is no such thread, or it has no Python call. */
static Call *
innermost_call(PyObject *innermost, PyObject *thread_id)
{
    PyObject *frame = PyDict_GetItemWithError(innermost, thread_id);
    return frame != NULL && PyFrame_Check(frame) ? call_of_frame((PyFrameObject *)frame) : NULL;
}

static PyObject *
frames_stack_of(PyObject *module, PyObject *arguments)
{
    State *state = PyModule_GetState(module);
    PyObject *thread_id;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(arguments, "O!n:stack_of", &PyLong_Type, &thread_id, &most)) {
        return NULL;
    }
    int was_collecting = PyGC_Disable();
    PyObject *stack = NULL;
    PyObject *innermost = innermost_frames(state);
    if (innermost != NULL) {
        Call *call = innermost_call(innermost, thread_id);
        stack = PyErr_Occurred() ? NULL : stack_of_call(state, call, thread_id, most);
    }
    Py_XDECREF(innermost);
    if (was_collecting) {
        PyGC_Enable();
    }
    return stack;
}

/* ---- greenlets ------------------------------------------------------------------------------- */

/* A greenlet that does not run. Its calls of C are not in memory, as another greenlet has the stack;
 * so the greenlet library links its calls of Python with one another. They do not go on before this
 * has released the GIL. */
static PyObject *
frames_suspended(PyObject *module, PyObject *arguments)
{
    State *state = PyModule_GetState(module);
    PyObject *greenlet;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(arguments, "On:suspended", &greenlet, &most)) {
        return NULL;
    }
    int was_collecting = PyGC_Disable();
    PyObject *stack = NULL;
    PyObject *frame = PyObject_GetAttrString(greenlet, "gr_frame");
    if (frame != NULL) {
        Call *call = PyFrame_Check(frame) ? call_of_frame((PyFrameObject *)frame) : NULL;
        stack = stack_of_call(state, call, Py_None, most);
    }
    Py_XDECREF(frame);
    if (was_collecting) {
        PyGC_Enable();
    }
    return stack;
}

/* ---- coroutines ------------------------------------------------------------------------------ */

/* The interpreter's objects that stand between two coroutines; each has the next one as its only
 * referent of a kind that can be waited for. */
static const char *const WRAPPERS[] = {
    "_asyncio.FutureIter", "coroutine_wrapper", "async_generator_asend", "async_generator_athrow"};

static int
is_generator(PyObject *object)
{
    return PyCoro_CheckExact(object) || PyGen_CheckExact(object) || PyAsyncGen_CheckExact(object);
}

typedef struct {
    PyObject *generator; /* borrowed */
    PyObject *other;
} Inside;

static int
visit_inside(PyObject *referent, void *argument)
{
    Inside *inside = argument;
    if (is_generator(referent)) {
        inside->generator = referent;
        return 1; /* enough */
    }
    if (!PyType_Check(referent) && inside->other == NULL) {
        inside->other = referent;
    }
    return 0;
}

/* A new reference to what a wrapper is around; NULL: this is no wrapper, or it is around nothing. */
static PyObject *
inside_of(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    for (size_t index = 0; index < Py_ARRAY_LENGTH(WRAPPERS); index++) {
        if (strcmp(type->tp_name, WRAPPERS[index]) == 0 && type->tp_traverse != NULL) {
            Inside inside = {NULL, NULL};
            type->tp_traverse(object, visit_inside, &inside);
            return Py_XNewRef(inside.generator != NULL ? inside.generator : inside.other);
        }
    }
    return NULL;
}

/* A new reference to what a coroutine or generator waits for; NULL: nothing. These attributes of
 * theirs make no object. */
static PyObject *
awaited_by(State *state, PyObject *generator)
{
    PyObject *name = PyCoro_CheckExact(generator) ? state->cr_await
        : PyGen_CheckExact(generator)             ? state->gi_yieldfrom
                                                  : state->ag_await;
    PyObject *awaited = PyObject_GetAttr(generator, name);
    if (awaited == Py_None) {
        Py_CLEAR(awaited);
    }
    return awaited;
}

/* Goes inwards from what is waited for, which this takes over. */
typedef struct {
    PyObject *awaited; /* NULL: the innermost one waits for nothing, or there was an error */
    Call *call;        /* that was just gone through; NULL: none, this was a wrapper */
    int is_over;
} Inwards;

static void
step_inwards(State *state, Inwards *way)
{
    PyObject *next;
    way->call = NULL;
    if (is_generator(way->awaited)) {
        way->call = call_of_generator(way->awaited);
        next = awaited_by(state, way->awaited);
    } else {
        next = inside_of(way->awaited);
        if (next == NULL) {
            way->is_over = 1;
            return;
        }
    }
    way->is_over = next == NULL;
    /* Not the last reference: another is in what it was found in. */
    Py_SETREF(way->awaited, next);
}

static PyObject *
frames_awaiting(PyObject *module, PyObject *arguments)
{
    State *state = PyModule_GetState(module);
    PyObject *coroutine;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(arguments, "On:awaiting", &coroutine, &most)) {
        return NULL;
    }
    int was_collecting = PyGC_Disable();
    PyObject *owner = is_generator(coroutine) ? PyWeakref_NewRef(coroutine, NULL) : Py_NewRef(Py_None);
    PyObject *frames = PyList_New(0);
    Inwards way = {Py_NewRef(coroutine), NULL, owner == NULL || frames == NULL};
    while (!way.is_over && PyList_GET_SIZE(frames) < most) {
        step_inwards(state, &way);
        if (way.call != NULL) {
            PyObject *frame = new_frame(state, way.call, owner);
            way.is_over |= frame == NULL || PyList_Append(frames, frame) < 0;
            Py_XDECREF(frame);
        }
    }
    if (was_collecting) {
        PyGC_Enable();
    }
    PyObject *result = NULL;
    if (!PyErr_Occurred()) {
        result = Py_BuildValue("(NO)", PyList_AsTuple(frames), way.awaited ? way.awaited : Py_None);
    }
    Py_XDECREF(way.awaited);
    Py_XDECREF(frames);
    Py_XDECREF(owner);
    return result;
}

/* ---- local variables ------------------------------------------------------------------------- */

/* Where a frame was seen, as far as it is there still: the same call at the same instruction. */
static Call *
call_in_thread(Frame *frame, PyObject *innermost)
{
    Call *call = innermost_call(innermost, frame->owner);
    while (call != NULL && (void *)call != frame->key) {
        call = caller_of(call);
    }
    return call;
}

static Call *
call_in_coroutine(State *state, Frame *frame)
{
    Inwards way = {PyObject_CallNoArgs(frame->owner), NULL, 0}; /* None when it is gone */
    while (way.awaited != NULL && !way.is_over) {
        step_inwards(state, &way);
        if ((void *)way.call == frame->key) {
            break;
        }
    }
    Py_XDECREF(way.awaited);
    return (void *)way.call == frame->key ? way.call : NULL;
}

/* Borrowed; NULL: it has ended, or gone on. */
static Call *
find_again(State *state, Frame *frame, PyObject *innermost)
{
    Call *call = NULL;
    if (PyLong_Check(frame->owner)) {
        call = call_in_thread(frame, innermost);
    } else if (PyWeakref_CheckRefExact(frame->owner)) {
        call = call_in_coroutine(state, frame);
    }
    int is_same = call != NULL && code_of(call) == frame->code && offset_of(call) == frame->offset;
    return is_same ? call : NULL;
}

/* Borrowed; NULL: it has no value. `*is_global`: there is no such variable here. */
static PyObject *
local_variable(Call *call, PyObject *name, int *is_global)
{
    PyCodeObject *code = code_of(call);
    PyObject *value = NULL;
    if (!(code->co_flags & CO_OPTIMIZED)) { /* a module, or a class with variables of its own */
        *is_global = namespace_of(call) == globals_of(call);
        return NULL;
    }
    *is_global = 1;
    for (Py_ssize_t index = 0; value == NULL && index < variables_in(code); index++) {
        PyObject *known = variable_name(code, index);
        if (known == name || PyUnicode_Compare(known, name) == 0) {
            *is_global = 0;
            value = variable_at(call, index);
        }
    }
    return value;
}

static int
are_requests(State *state, PyObject *requests)
{
    int is_right = PyList_Check(requests);
    for (Py_ssize_t index = 0; is_right && index < PyList_GET_SIZE(requests); index++) {
        PyObject *request = PyList_GET_ITEM(requests, index);
        is_right = PyTuple_Check(request) && PyTuple_GET_SIZE(request) == 2
            && Py_IS_TYPE(PyTuple_GET_ITEM(request, 0), state->frame_type)
            && PyUnicode_Check(PyTuple_GET_ITEM(request, 1));
    }
    if (!is_right) {
        PyErr_SetString(PyExc_TypeError, "not a list of pairs, each a frame and a name");
    }
    return is_right;
}

/* Puts what a name means into `*value`: a new reference, or NULL. Where it may be a global one, the
 * globals come into `*globals`: they are looked into when nothing depends on the frame any more. */
static void
look_up(State *state, PyObject *request, PyObject *innermost, PyObject **value, PyObject **globals)
{
    Frame *frame = (Frame *)PyTuple_GET_ITEM(request, 0);
    Call *call = find_again(state, frame, innermost);
    if (call != NULL) {
        int is_global;
        *value = Py_XNewRef(local_variable(call, PyTuple_GET_ITEM(request, 1), &is_global));
        if (is_global && PyDict_CheckExact(globals_of(call))) {
            *globals = Py_NewRef(globals_of(call));
        }
    }
}

static PyObject *
frames_values(PyObject *module, PyObject *requests)
{
    State *state = PyModule_GetState(module);
    if (!are_requests(state, requests)) {
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(requests);
    PyObject *values = PyList_New(count);
    PyObject **globals = PyMem_Calloc(count + 1, sizeof(PyObject *));
    if (values == NULL || globals == NULL) {
        Py_XDECREF(values);
        PyMem_Free(globals);
        return PyErr_NoMemory();
    }
    int was_collecting = PyGC_Disable();
    PyObject *innermost = innermost_frames(state);
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *value = NULL;
        if (innermost != NULL) {
            look_up(state, PyList_GET_ITEM(requests, index), innermost, &value, &globals[index]);
        }
        PyList_SET_ITEM(values, index, value != NULL ? value : Py_NewRef(Py_None));
    }
    Py_XDECREF(innermost);
    if (was_collecting) {
        PyGC_Enable();
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *name = PyTuple_GET_ITEM(PyList_GET_ITEM(requests, index), 1);
        if (globals[index] != NULL && !PyErr_Occurred()) {
            PyObject *value = PyDict_GetItemWithError(globals[index], name);
            if (value != NULL) {
                PyList_SetItem(values, index, Py_NewRef(value));
            }
        }
        Py_XDECREF(globals[index]);
    }
    PyMem_Free(globals);
    if (PyErr_Occurred()) {
        Py_CLEAR(values);
    }
    return values;
}

/* Whether a type was made in one of these packages, by what it says of itself; runs no code. */
static int
is_of_packages(State *state, PyTypeObject *type, PyObject *packages)
{
    const char *name = type->tp_name;
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyObject *module = PyDict_GetItemWithError(type->tp_dict, state->module);
        name = module != NULL && PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : NULL;
    }
    for (Py_ssize_t index = 0; name != NULL && index < PyTuple_GET_SIZE(packages); index++) {
        Py_ssize_t length;
        const char *package = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(packages, index), &length);
        if (package == NULL) {
            break;
        }
        if (strncmp(name, package, length) == 0 && (name[length] == '.' || name[length] == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Appends the local variables of a call whose values have such a type; 0: with an error. */
static int
append_values(State *state, Call *call, PyObject *packages, PyObject *found)
{
    int is_right = 1;
    for (Py_ssize_t index = 0; is_right && index < variables_in(code_of(call)); index++) {
        PyObject *value = variable_at(call, index);
        if (value != NULL && is_of_packages(state, Py_TYPE(value), packages)) {
            is_right = PyList_Append(found, value) == 0;
        }
    }
    return is_right;
}

static PyObject *
frames_values_of_packages(PyObject *module, PyObject *arguments)
{
    State *state = PyModule_GetState(module);
    PyObject *frames, *packages;
    if (!PyArg_ParseTuple(
            arguments, "O!O!:values_of_packages", &PyList_Type, &frames, &PyTuple_Type, &packages)) {
        return NULL;
    }
    PyObject *found = PyList_New(0);
    int was_collecting = PyGC_Disable();
    PyObject *innermost = innermost_frames(state);
    int is_right = innermost != NULL && found != NULL;
    for (Py_ssize_t index = 0; is_right && index < PyList_GET_SIZE(frames); index++) {
        PyObject *frame = PyList_GET_ITEM(frames, index);
        Call *call = Py_IS_TYPE(frame, state->frame_type)
            ? find_again(state, (Frame *)frame, innermost) : NULL;
        is_right = call == NULL || append_values(state, call, packages, found);
    }
    Py_XDECREF(innermost);
    if (was_collecting) {
        PyGC_Enable();
    }
    if (PyErr_Occurred()) {
        Py_CLEAR(found);
    }
    return found;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

#if PY_VERSION_HEX >= 0x030e0000

static Py_ssize_t
length_of(struct llist_node *head)
{
    Py_ssize_t length = 0;
    struct llist_node *node;
    llist_for_each(node, head) {
        length++;
    }
    return length;
}

#endif

/* Each thread keeps the tasks that began on it, and the interpreter those of threads that ended;
 * only who has the GIL changes these lists. */
static PyObject *
frames_count_tasks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    Py_ssize_t count = 0;
#if PY_VERSION_HEX >= 0x030e0000
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
    count = length_of(&interpreter->asyncio_tasks_head);
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        count += length_of(&((_PyThreadStateImpl *)thread)->asyncio_tasks_head);
    }
#endif
    return PyLong_FromSsize_t(count);
}

/* ---- the module ------------------------------------------------------------------------------ */

static PyObject *
frames_can_look(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyBool_FromLong(is_alone());
}

static PyObject *
frames_forked(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    State *state = PyModule_GetState(module);
    state->pid = (long)getpid();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"count_tasks", frames_count_tasks, METH_NOARGS,
     "count_tasks()\n--\n\n"
     "Return how many tasks of asyncio the interpreter keeps, as it does from Python 3.14 on."},
    {"forked", frames_forked, METH_NOARGS,
     "forked()\n--\n\nNote that Python knows of the process that it is in."},
    {"can_look", frames_can_look, METH_NOARGS,
     "can_look()\n--\n\nReturn whether the stacks of threads can be read just now; 0.03 us."},
    {"stacks", frames_stacks, METH_O,
     "stacks(most)\n--\n\n"
     "Return the innermost frames of each thread but the calling one, outermost first, by its id."},
    {"stack_of", frames_stack_of, METH_VARARGS,
     "stack_of(thread_id, most)\n--\n\nReturn the innermost frames of a thread, outermost first."},
    {"awaiting", frames_awaiting, METH_VARARGS,
     "awaiting(coroutine, most)\n--\n\n"
     "Return the frames of a coroutine and of those it waits for, and what the last waits for."},
    {"suspended", frames_suspended, METH_VARARGS,
     "suspended(greenlet, most)\n--\n\n"
     "Return the innermost frames of a greenlet that does not run, outermost first."},
    {"values", frames_values, METH_O,
     "values(requests)\n--\n\n"
     "Return what names mean in frames that are still as they were seen; else None."},
    {"values_of_packages", frames_values_of_packages, METH_VARARGS,
     "values_of_packages(frames, packages)\n--\n\n"
     "Return the values of local variables whose types were made in one of some packages."},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->pid = (long)getpid();
    state->current_frames = Py_XNewRef(PySys_GetObject("_current_frames"));
    state->cr_await = PyUnicode_InternFromString("cr_await");
    state->gi_yieldfrom = PyUnicode_InternFromString("gi_yieldfrom");
    state->ag_await = PyUnicode_InternFromString("ag_await");
    state->module = PyUnicode_InternFromString("__module__");
    state->frame_type = (PyTypeObject *)PyType_FromSpec(&Frame_spec);
    if (state->current_frames == NULL) {
        PyErr_SetString(PyExc_ImportError, "sys has no _current_frames");
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Frame", (PyObject *)state->frame_type);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->frame_type);
    Py_VISIT(state->current_frames);
    return 0;
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->frame_type);
    Py_CLEAR(state->current_frames);
    Py_CLEAR(state->cr_await);
    Py_CLEAR(state->gi_yieldfrom);
    Py_CLEAR(state->ag_await);
    Py_CLEAR(state->module);
    return 0;
}

static void
module_free(void *module)
{
    module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_frames",
    .m_doc = "The stacks of other threads and of waiting coroutines, as plain data.",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__frames(void)
{
    return PyModuleDef_Init(&module_definition);
}
