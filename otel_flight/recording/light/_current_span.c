/* What current_span.py does, without the interpreter: a context manager that makes a span the
 * current one, and may start it before and end it after. Optional; current_span.py stays the one
 * description of what is to happen, and does itself what happens rarely: a block that failed, and
 * functions that are decorated.
 *
 * What it calls can run any code, which may use the scope again: its state is changed before. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "c/function.h"

enum { NEVER_ENTERED, ENTERED, LEFT };
/* The arguments of Tracer.start_as_current_span; those of start_span are all but the last. */
static const char *const CURRENT_NAMES[] = {
    "name", "context", "kind", "attributes", "links", "start_time", "record_exception",
    "set_status_on_exception", "end_on_exit"};
#define START_ARGUMENTS 8
enum { RECORD_EXCEPTION = 6, SET_STATUS = 7 };

/* What `configure` is given, of current_span.py and the API. Held until the process ends: a scope
 * may be left as long as there are threads. */
typedef struct {
    PyObject *context_variable;
    PyObject *span_key;
    PyTypeObject *context_type;
    PyObject *api; /* the namespace of opentelemetry.context */
    PyObject *runtime_context; /* what is in it as long as nobody changed it */
    PyObject *internal_kind; /* the kind of spans whose kind is not said */
    PyObject *attach, *detach; /* the API's own */
    PyObject *trace; /* the namespace of opentelemetry.trace */
    PyObject *use_spans; /* what may stand there under that name: the API's, and what stands in for it */
    PyTypeObject *tracer_type; /* the SDK's */
    PyObject *start_as_current_span; /* its own */
    Seen seen; /* of that */
    PyObject *failed; /* called with a span, its error, and whether to record it and to set a status */
    PyObject *decorated; /* called with a scope and a function */
    PyTypeObject *scope_type;
    PyObject *no_arguments, *use_names, *start_names, *current_names;
    PyObject *name_runtime_context, *name_attach, *name_detach, *name_set_value, *name_end;
    PyObject *name_start_span, *name_use_span, *name_start_as_current_span;
} State;

typedef struct {
    PyObject_HEAD
    PyObject *span;   /* NULL before one was started */
    PyObject *token;  /* while entered */
    PyObject *tracer; /* which starts the span; NULL if there is one */
    PyObject *arguments[START_ARGUMENTS];
    PyObject *weak_references;
    char ends, records, sets_status, state;
} Scope;

static inline State *
state_of(Scope *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- entering ------------------------------------------------------------------------------- */

static inline int
has(PyObject *namespace, PyObject *name, PyObject *known)
{
    return PyDict_GetItemWithError(namespace, name) == known;
}

/* Returns a name of opentelemetry.context as it is now. */
static PyObject *
of_api(State *state, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(state->api, name);
    if (found == NULL && !PyErr_Occurred()) {
        PyErr_SetObject(PyExc_AttributeError, name);
    }
    return Py_XNewRef(found);
}

/* Makes the span the current one by the API's functions; returns the token. */
static PyObject *
attach_by_api(State *state, PyObject *span)
{
    PyObject *token = NULL, *context = NULL;
    PyObject *set_value = of_api(state, state->name_set_value);
    PyObject *attach = set_value == NULL ? NULL : of_api(state, state->name_attach);
    if (attach != NULL) {
        context = PyObject_CallFunctionObjArgs(set_value, state->span_key, span, NULL);
    }
    if (context != NULL) {
        token = PyObject_CallOneArg(attach, context);
    }
    Py_XDECREF(set_value);
    Py_XDECREF(attach);
    Py_XDECREF(context);
    return token;
}

static PyObject *
attach(State *state, PyObject *span)
{
    if (state->context_variable == NULL || !has(state->api, state->name_attach, state->attach)
        || !has(state->api, state->name_runtime_context, state->runtime_context)) {
        return PyErr_Occurred() ? NULL : attach_by_api(state, span);
    }
    PyObject *around = NULL, *token = NULL;
    if (PyContextVar_Get(state->context_variable, NULL, &around) != 0) {
        return NULL;
    }
    /* As `Context(around)`: the type has no constructor but the dict's. */
    PyObject *context = around == NULL || !PyDict_Check(around)
        ? NULL
        : PyDict_Type.tp_new(state->context_type, state->no_arguments, NULL);
    if (context != NULL && PyDict_Update(context, around) == 0
        && PyDict_SetItem(context, state->span_key, span) == 0) {
        token = PyContextVar_Set(state->context_variable, context);
    } else if (context == NULL && !PyErr_Occurred()) {
        token = attach_by_api(state, span);
    }
    Py_XDECREF(context);
    Py_XDECREF(around);
    return token;
}

/* Returns the span, started now if there was none. */
static PyObject *
begin(State *state, Scope *self)
{
    if (self->tracer == NULL) {
        return Py_NewRef(self->span);
    }
    PyObject *given[START_ARGUMENTS + 1];
    given[0] = self->tracer;
    memcpy(given + 1, self->arguments, sizeof self->arguments);
    return PyObject_VectorcallMethod(
        state->name_start_span, given, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, state->start_names);
}

/* Ends the span, also when an exception is set, which stays unless this raises another one. */
static int
end_span(State *state, PyObject *span)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *given[1] = {span};
    PyObject *result =
        PyObject_VectorcallMethod(state->name_end, given, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (result == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return -1;
    }
    Py_DECREF(result);
    PyErr_Restore(type, value, traceback);
    return 0;
}

static PyObject *
Scope_enter(Scope *self, PyObject *Py_UNUSED(ignored))
{
    State *state = state_of(self);
    if (self->state != NEVER_ENTERED) {
        PyErr_SetString(PyExc_RuntimeError, "the context manager of a span is used once");
        return NULL;
    }
    self->state = ENTERED;
    PyObject *span = begin(state, self);
    PyObject *token = span == NULL ? NULL : attach(state, span);
    if (token == NULL) {
        self->state = LEFT;
        if (span != NULL && self->ends) {
            end_span(state, span);
        }
        Py_XDECREF(span);
        return NULL;
    }
    Py_XSETREF(self->span, Py_NewRef(span));
    Py_XSETREF(self->token, token);
    return span;
}

/* ---- leaving -------------------------------------------------------------------------------- */

/* Makes current again what was before. That this cannot be is logged by the API, and no error. */
static int
detach(State *state, PyObject *token)
{
    if (has(state->api, state->name_detach, state->detach) && PyContextToken_CheckExact(token)) {
        if (PyContextVar_Reset(state->context_variable, token) == 0) {
            return 0;
        }
    }
    PyErr_Clear();
    PyObject *function = of_api(state, state->name_detach);
    PyObject *result = function == NULL ? NULL : PyObject_CallOneArg(function, token);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int
note_failure(State *state, Scope *self, PyObject *span, PyObject *kind, PyObject *error)
{
    PyObject *raised = error == Py_None ? PyObject_CallNoArgs(kind) : Py_NewRef(error);
    if (raised == NULL) {
        return -1;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(
        state->failed, span, raised, self->records ? Py_True : Py_False,
        self->sets_status ? Py_True : Py_False, NULL);
    Py_DECREF(raised);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int
leave(Scope *self, PyObject *kind, PyObject *error)
{
    State *state = state_of(self);
    if (self->state != ENTERED || self->span == NULL || self->token == NULL) {
        return 0;
    }
    self->state = LEFT;
    PyObject *span = Py_NewRef(self->span);
    PyObject *token = self->token;
    self->token = NULL;
    int result = detach(state, token);
    Py_DECREF(token);
    if (result == 0 && kind != Py_None) {
        result = note_failure(state, self, span, kind, error);
    }
    if (self->ends && end_span(state, span) != 0) {
        result = -1;
    }
    Py_DECREF(span);
    return result;
}

static PyObject *
Scope_exit(Scope *self, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "__exit__() takes 3 arguments, not %zd", count);
        return NULL;
    }
    if (leave(self, arguments[0], arguments[1]) != 0) {
        return NULL;
    }
    Py_RETURN_FALSE;
}

/* One that is dropped inside its block ends as a generator does. */
static void
Scope_finalize(PyObject *object)
{
    Scope *self = (Scope *)object;
    if (self->state != ENTERED) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (leave(self, PyExc_GeneratorExit, Py_None) != 0) {
        PyErr_WriteUnraisable(object);
    }
    PyErr_Restore(type, value, traceback);
}

/* ---- decorating ----------------------------------------------------------------------------- */

static Scope *
new_scope(PyTypeObject *type)
{
    return (Scope *)type->tp_alloc(type, 0);
}

static PyObject *
Scope_again(Scope *self, PyObject *Py_UNUSED(ignored))
{
    Scope *other = new_scope(Py_TYPE(self));
    if (other == NULL) {
        return NULL;
    }
    other->tracer = Py_XNewRef(self->tracer);
    other->span = self->tracer == NULL ? Py_XNewRef(self->span) : NULL;
    for (int index = 0; index < START_ARGUMENTS; index++) {
        other->arguments[index] = Py_XNewRef(self->arguments[index]);
    }
    other->ends = self->ends;
    other->records = self->records;
    other->sets_status = self->sets_status;
    return (PyObject *)other;
}

static PyObject *
Scope_call(Scope *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"function", NULL};
    PyObject *function;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O", names, &function)) {
        return NULL;
    }
    return PyObject_CallFunctionObjArgs(
        state_of(self)->decorated, (PyObject *)self, function, NULL);
}

/* ---- the type ------------------------------------------------------------------------------- */

static int
Scope_traverse(Scope *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->span);
    Py_VISIT(self->token);
    Py_VISIT(self->tracer);
    for (int index = 0; index < START_ARGUMENTS; index++) {
        Py_VISIT(self->arguments[index]);
    }
    return 0;
}

static int
Scope_clear(Scope *self)
{
    Py_CLEAR(self->span);
    Py_CLEAR(self->token);
    Py_CLEAR(self->tracer);
    for (int index = 0; index < START_ARGUMENTS; index++) {
        Py_CLEAR(self->arguments[index]);
    }
    return 0;
}

static void
Scope_dealloc(Scope *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->state == ENTERED && PyObject_CallFinalizerFromDealloc((PyObject *)self) != 0) {
        return; /* somebody has it again */
    }
    PyObject_GC_UnTrack(self);
    if (self->weak_references != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Scope_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef Scope_methods[] = {
    {"__enter__", (PyCFunction)(void (*)(void))Scope_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))Scope_exit, METH_FASTCALL, NULL},
    {"_again", (PyCFunction)(void (*)(void))Scope_again, METH_NOARGS,
     "Return one like this, that was not used yet."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef Scope_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Scope, weak_references), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Scope_slots[] = {
    {Py_tp_doc, "See current_span.SpanScope."},
    {Py_tp_dealloc, Scope_dealloc},
    {Py_tp_finalize, Scope_finalize},
    {Py_tp_traverse, Scope_traverse},
    {Py_tp_clear, Scope_clear},
    {Py_tp_call, Scope_call},
    {Py_tp_methods, Scope_methods},
    {Py_tp_members, Scope_members},
    {0, NULL},
};

static PyType_Spec Scope_spec = {
    .name = "otel_flight.recording.light._current_span.SpanScope",
    .basicsize = sizeof(Scope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION
        | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Scope_slots,
};

/* ---- what makes one ------------------------------------------------------------------------- */

/* Keeps whether a value is true; returns -1 when it does not say. */
static int
keep_truth(char *kept, PyObject *value)
{
    int truth = PyObject_IsTrue(value);
    *kept = (char)(truth > 0);
    return truth < 0 ? -1 : 0;
}

/* As `use_span(span, end_on_exit=False, record_exception=True, set_status_on_exception=True)`. */
static PyObject *
use_span(Function *self, PyObject *const *arguments, size_t flags, PyObject *keywords)
{
    State *state = PyType_GetModuleState(Py_TYPE(self));
    PyObject *sorted[] = {NULL, Py_False, Py_True, Py_True};
    if (sort_arguments("use_span", state->use_names, sorted, arguments,
                       PyVectorcall_NARGS(flags), keywords) != 0) {
        return NULL;
    }
    Scope *scope = new_scope(state->scope_type);
    if (scope == NULL) {
        return NULL;
    }
    scope->span = Py_NewRef(sorted[0]);
    if (keep_truth(&scope->ends, sorted[1]) != 0 || keep_truth(&scope->records, sorted[2]) != 0
        || keep_truth(&scope->sets_status, sorted[3]) != 0) {
        Py_CLEAR(scope);
    }
    return (PyObject *)scope;
}

/* Whether the SDK's method is its own, and what it would call is the API's. */
static int
is_scope_ours(State *state)
{
    PyObject *now = PyDict_GetItemWithError(state->trace, state->name_use_span);
    int is_known = now == PyTuple_GET_ITEM(state->use_spans, 0);
    for (Py_ssize_t index = 1; !is_known && index < PyTuple_GET_SIZE(state->use_spans); index++) {
        is_known |= now == PyTuple_GET_ITEM(state->use_spans, index);
    }
    return is_known
        && has_own(&state->seen, state->tracer_type, state->name_start_as_current_span,
                   state->start_as_current_span);
}

/* As `Tracer.start_as_current_span`. */
static PyObject *
start_as_current_span(Function *self, PyObject *const *arguments, size_t flags, PyObject *keywords)
{
    State *state = PyType_GetModuleState(Py_TYPE(self));
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *sorted[START_ARGUMENTS + 1] = {
        NULL, Py_None, state->internal_kind, Py_None, state->no_arguments, Py_None, Py_True, Py_True,
        Py_True};
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "start_as_current_span() misses its tracer");
        return NULL;
    }
    if (!is_scope_ours(state)) {
        PyObject *theirs = PyDict_GetItemWithError(
            state->tracer_type->tp_dict, state->name_start_as_current_span);
        return call_as_method(theirs, arguments, count, keywords);
    }
    if (sort_arguments("start_as_current_span", state->current_names, sorted, arguments + 1,
                       count - 1, keywords) != 0) {
        return NULL;
    }
    Scope *scope = new_scope(state->scope_type);
    if (scope == NULL) {
        return NULL;
    }
    scope->tracer = Py_NewRef(arguments[0]);
    for (int index = 0; index < START_ARGUMENTS; index++) {
        scope->arguments[index] = Py_NewRef(sorted[index]);
    }
    if (keep_truth(&scope->ends, sorted[START_ARGUMENTS]) != 0
        || keep_truth(&scope->records, sorted[RECORD_EXCEPTION]) != 0
        || keep_truth(&scope->sets_status, sorted[SET_STATUS]) != 0) {
        Py_CLEAR(scope);
    }
    return (PyObject *)scope;
}

/* ---- the module ----------------------------------------------------------------------------- */

static PyObject *
configure(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {
        "context_variable", "span_key", "context_type", "api", "runtime_context", "internal_kind",
        "failed", "decorated", "attach", "detach", "trace", "use_spans", "tracer_type",
        "start_as_current_span", NULL};
    State *state = PyModule_GetState(module);
    PyObject *variable, *span_key, *context_type, *api, *runtime_context, *internal_kind, *failed;
    PyObject *decorated, *attach, *detach, *trace, *use_spans, *tracer_type, *start_as_current_span;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "$O!OO!O!OOOOOOO!O!O!O", names, &PyContextVar_Type, &variable, &span_key,
            &PyType_Type, &context_type, &PyDict_Type, &api, &runtime_context, &internal_kind,
            &failed, &decorated, &attach, &detach, &PyDict_Type, &trace, &PyTuple_Type, &use_spans,
            &PyType_Type, &tracer_type, &start_as_current_span)) {
        return NULL;
    }
    if (!PyType_IsSubtype((PyTypeObject *)context_type, &PyDict_Type)
        || ((PyTypeObject *)context_type)->tp_new != PyDict_Type.tp_new
        || ((PyTypeObject *)context_type)->tp_init != PyDict_Type.tp_init
        || ((PyTypeObject *)context_type)->tp_iter != PyDict_Type.tp_iter) {
        PyErr_SetString(PyExc_TypeError, "another Context than the one known here");
        return NULL;
    }
    Py_XSETREF(state->context_variable, Py_NewRef(variable));
    Py_XSETREF(state->span_key, Py_NewRef(span_key));
    Py_XSETREF(state->context_type, (PyTypeObject *)Py_NewRef(context_type));
    Py_XSETREF(state->api, Py_NewRef(api));
    Py_XSETREF(state->runtime_context, Py_NewRef(runtime_context));
    Py_XSETREF(state->internal_kind, Py_NewRef(internal_kind));
    Py_XSETREF(state->failed, Py_NewRef(failed));
    Py_XSETREF(state->decorated, Py_NewRef(decorated));
    Py_XSETREF(state->attach, Py_NewRef(attach));
    Py_XSETREF(state->detach, Py_NewRef(detach));
    Py_XSETREF(state->trace, Py_NewRef(trace));
    Py_XSETREF(state->use_spans, Py_NewRef(use_spans));
    Py_XSETREF(state->tracer_type, (PyTypeObject *)Py_NewRef(tracer_type));
    Py_XSETREF(state->start_as_current_span, Py_NewRef(start_as_current_span));
    Py_RETURN_NONE;
}

static int
module_exec(PyObject *module)
{
    static const char *const use_names[] = {
        "span", "end_on_exit", "record_exception", "set_status_on_exception"};
    State *state = PyModule_GetState(module);
#define NAME(field, text)                                                                          \
    if ((state->name_##field = PyUnicode_InternFromString(text)) == NULL) {                        \
        return -1;                                                                                 \
    }
    NAME(runtime_context, "_RUNTIME_CONTEXT")
    NAME(attach, "attach")
    NAME(detach, "detach")
    NAME(set_value, "set_value")
    NAME(end, "end")
    NAME(start_span, "start_span")
    NAME(use_span, "use_span")
    NAME(start_as_current_span, "start_as_current_span")
    state->no_arguments = PyTuple_New(0);
    state->use_names = tuple_of(use_names, LENGTH(use_names));
    state->start_names = tuple_of(CURRENT_NAMES, START_ARGUMENTS);
    state->current_names = tuple_of(CURRENT_NAMES, LENGTH(CURRENT_NAMES));
    state->scope_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &Scope_spec, NULL);
    if (state->no_arguments == NULL || state->use_names == NULL || state->start_names == NULL
        || state->current_names == NULL || state->scope_type == NULL) {
        return -1;
    }
    PyObject *function_type = PyType_FromModuleAndSpec(module, &Function_spec, NULL);
    if (function_type == NULL) {
        return -1;
    }
    PyTypeObject *type = (PyTypeObject *)function_type;
    int result = add_function(module, type, "use_span", (vectorcallfunc)use_span) != 0
            || add_function(module, type, "start_as_current_span",
                            (vectorcallfunc)start_as_current_span) != 0
        ? -1
        : 0;
    Py_DECREF(function_type);
    return result;
}

static PyMethodDef module_methods[] = {
    {"configure", (PyCFunction)(void (*)(void))configure, METH_VARARGS | METH_KEYWORDS,
     "Say what the context is in, and what does that which is rare. Once, before all else."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.recording.light._current_span",
    .m_doc = "What makes a span the current one, in C; current_span.py says when it is used.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__current_span(void)
{
    return PyModuleDef_Init(&module_definition);
}
