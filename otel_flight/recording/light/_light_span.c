/* The light span in C: what light_span.py and light_tracer.py do for an ordinary span, without the
 * interpreter. Optional; the Python code stays the one description of what is to happen, and does
 * itself what is not ordinary: it works on these spans by the same private fields.
 *
 * What can run any code is every call of Python, and whatever makes an object that garbage
 * collection knows. So nothing that was read of a span before is believed after it, and what is used
 * across it is held. Between the look at a span and its change there is neither.
 *
 * This file is the module: it is given what `c/known.h` keeps. The others, from the bottom up:
 *     c/span.h        what a span keeps, its context and its times
 *     c/attributes.h  set_attribute and set_attributes
 *     c/recorder.h    what the recorder does at its start and its end
 *     c/life.h        the start and the end
 *     c/type.h        the type: its fields by their names in the SDK, and its methods
 *     c/parent.h      what is above a span that is about to start
 *     c/ids.h         its ids, and whether it is sampled
 *     c/tracer.h      Tracer.start_span */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "c/function.h"
#include "c/tracer.h"
#include "c/type.h"

static int
find_offsets(void)
{
#define FIND_IN(type, structure, name)                                                             \
    if (find_slot(known.type, #name, &structure.name) != 0) {                                      \
        return -1;                                                                                 \
    }
#define FIND_IN_SWITCH(name) FIND_IN(switch_type, in_switch, name)
#define FIND_IN_SHAPE(name) FIND_IN(shape_type, in_shape, name)
#define FIND_IN_RECORDER(name) FIND_IN(recorder_type, in_recorder, name)
    SWITCH_SLOTS(FIND_IN_SWITCH)
    SHAPE_SLOTS(FIND_IN_SHAPE)
    RECORDER_SLOTS(FIND_IN_RECORDER)
    return 0;
}

/* Whether what is called by its layout has it. */
static int
has_known_types(void)
{
#define IS_TYPE(name)                                                                              \
    if (!PyType_Check(known.name)) {                                                               \
        return 0;                                                                                  \
    }
    IS_TYPE(context_type) IS_TYPE(span_context_type) IS_TYPE(span_type) IS_TYPE(recorder_type)
    IS_TYPE(writer_type) IS_TYPE(switch_type) IS_TYPE(shape_type) IS_TYPE(sdk_tracer_type)
    IS_TYPE(generator_type) IS_TYPE(non_recording_type) IS_TYPE(sdk_span_type)
    return PyContextVar_CheckExact(known.context_variable) && PyDict_CheckExact(known.sdk_namespace)
        && PyDict_CheckExact(known.random_namespace) && PyDict_CheckExact(known.ids_namespace)
        && PyDict_CheckExact(known.trace_namespace) && PyTuple_CheckExact(known.method_names)
        && PyTuple_CheckExact(known.own_methods)
        && PyTuple_GET_SIZE(known.own_methods) == PyTuple_GET_SIZE(known.method_names)
        && PyTuple_CheckExact(known.flags)
        && PyTuple_GET_SIZE(known.flags) > inherited_flags
        && PyType_IsSubtype((PyTypeObject *)known.context_type, &PyDict_Type)
        && PyType_IsSubtype((PyTypeObject *)known.span_context_type, &PyTuple_Type)
        && ((PyTypeObject *)known.writer_type)->tp_basicsize == sizeof(SpanWriter)
        && ((PyTypeObject *)known.span_type)->tp_basicsize >= (Py_ssize_t)sizeof(LightSpan);
}

static PyObject *
configure(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *given)
{
    if (PyTuple_GET_SIZE(arguments) != 0 || given == NULL) {
        PyErr_SetString(PyExc_TypeError, "configure() takes names");
        return NULL;
    }
#define TAKE(name)                                                                                 \
    {                                                                                              \
        PyObject *value = PyDict_GetItemString(given, #name);                                      \
        if (value == NULL) {                                                                       \
            PyErr_SetString(PyExc_TypeError, "configure() misses " #name);                         \
            return NULL;                                                                           \
        }                                                                                          \
        Py_XSETREF(known.name, Py_NewRef(value));                                                  \
    }
    GIVEN(TAKE)
    inherited_flags = (long)PyTuple_Size(known.flags) - 1;
    if (!has_known_types() || inherited_flags < 0) {
        PyErr_SetString(PyExc_TypeError, "another API or SDK than the one known here");
        return NULL;
    }
    if (find_offsets() != 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
module_exec(PyObject *module)
{
    static const char *const one_name[] = {"attributes", "name", "end_time"};
    static const char *const pair[] = {"key", "value"};
    if (known.is_used) {
        PyErr_SetString(PyExc_ImportError, "another interpreter of this process uses it");
        return -1;
    }
#define INTERN(name)                                                                               \
    if ((names.name = PyUnicode_InternFromString(#name)) == NULL) {                                \
        return -1;                                                                                 \
    }
    NAMES(INTERN)
    no_arguments = PyTuple_New(0);
    zero = PyLong_FromLong(0);
    span_id_bits = PyLong_FromLong(SPAN_ID_BITS);
    trace_id_bits = PyLong_FromLong(TRACE_ID_BITS);
    start_names = tuple_of(START_NAMES, LENGTH(START_NAMES));
    pair_names = tuple_of(pair, 2);
    attributes_names = tuple_of(one_name, 1);
    name_names = tuple_of(one_name + 1, 1);
    end_names = tuple_of(one_name + 2, 1);
    PyObject *span_type = PyType_FromSpec(&Span_spec);
    PyObject *function_type = PyType_FromModuleAndSpec(module, &Function_spec, NULL);
    int result = no_arguments == NULL || zero == NULL || span_id_bits == NULL || trace_id_bits == NULL
            || start_names == NULL || pair_names == NULL
            || attributes_names == NULL || name_names == NULL || end_names == NULL
            || span_type == NULL || function_type == NULL
            || PyModule_AddObjectRef(module, "LightSpanBase", span_type) != 0
            || add_function(module, (PyTypeObject *)function_type, "start_span",
                            (vectorcallfunc)start_span) != 0
        ? -1
        : 0;
    Py_XDECREF(span_type);
    Py_XDECREF(function_type);
    known.is_used = result == 0;
    return result;
}

static PyMethodDef module_methods[] = {
    {"configure", (PyCFunction)(void (*)(void))configure, METH_VARARGS | METH_KEYWORDS,
     "Say what there is of the API, the SDK and the Python code. Once, before all else."},
    {"begin_span", (PyCFunction)(void (*)(void))begin_span, METH_FASTCALL,
     "See light_span.begin_span."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.recording.light._light_span",
    .m_doc = "The light span in C; compiled_span.py says when it is used.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__light_span(void)
{
    return PyModuleDef_Init(&module_definition);
}
