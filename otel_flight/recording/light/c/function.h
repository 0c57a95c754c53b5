/* A function in C that is a method where a class has it; its arguments have names. */

#ifndef OTEL_FLIGHT_FUNCTION_H
#define OTEL_FLIGHT_FUNCTION_H

#include <Python.h>
#include <stddef.h>
#if PY_VERSION_HEX < 0x030c0000
#include <structmember.h>
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_READONLY READONLY
#endif

/* A function of the module that, in a class, is a method as well: it is called with the tracer. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *namespace;
} Function;

#ifndef LENGTH
#define LENGTH(names) ((Py_ssize_t)(sizeof(names) / sizeof(names)[0]))
#endif

/* Puts the arguments of a call in the order of their names; those not given stay as they are. */
static int
sort_arguments(const char *function, PyObject *names, PyObject **sorted, PyObject *const *given,
               Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t most = PyTuple_GET_SIZE(names);
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments", function, most);
        return -1;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        sorted[index] = given[index];
    }
    for (Py_ssize_t index = 0; index < named; index++) {
        PyObject *name = PyTuple_GET_ITEM(keywords, index);
        Py_ssize_t at = 0;
        while (at < most && PyTuple_GET_ITEM(names, at) != name) {
            at++;
        }
        for (Py_ssize_t other = 0; at == most && other < most; other++) {
            if (PyUnicode_Compare(PyTuple_GET_ITEM(names, other), name) == 0) {
                at = other;
            }
        }
        if (at == most || at < count) {
            PyErr_Format(PyExc_TypeError, at == most ? "%s() got an unexpected keyword argument '%U'"
                                                     : "%s() got multiple values for argument '%U'",
                         function, name);
            return -1;
        }
        sorted[at] = given[count + index];
    }
    if (sorted[0] == NULL) {
        PyErr_Format(PyExc_TypeError, "%s() misses its argument '%U'", function,
                     PyTuple_GET_ITEM(names, 0));
        return -1;
    }
    return 0;
}

/* The version of a class, another one after each change; 0: it has none. */
static inline unsigned int
version_of(PyTypeObject *type)
{
#if PY_VERSION_HEX < 0x030c0000
    if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) {
        return 0;
    }
#endif
    return type->tp_version_tag;
}

/* What was seen of a class, as long as it has this version. */
typedef struct {
    unsigned int version;
    int answer;
} Seen;

/* Whether a class has a function of its own under a name still. It is looked at anew where the class
 * was changed. */
static inline int
has_own(Seen *seen, PyTypeObject *type, PyObject *name, PyObject *own)
{
    if (seen->version == 0 || version_of(type) != seen->version) {
        PyObject *now = PyObject_GetAttr((PyObject *)type, name); /* so that it has a version */
        seen->answer = now == own;
        seen->version = version_of(type);
        Py_XDECREF(now);
        PyErr_Clear();
    }
    return seen->answer;
}

/* Calls what a class has under a name, as it is there, with the object that the first argument is. */
static PyObject *
call_as_method(PyObject *found, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    if (found == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_AttributeError, "the method was removed");
        }
        return NULL;
    }
    descrgetfunc bind = Py_TYPE(found)->tp_descr_get;
    Py_INCREF(found);
    PyObject *bound = bind == NULL
        ? Py_NewRef(found)
        : bind(found, arguments[0], (PyObject *)Py_TYPE(arguments[0]));
    Py_DECREF(found);
    PyObject *result = bound == NULL
        ? NULL
        : PyObject_Vectorcall(bound, arguments + 1, (size_t)(count - 1), keywords);
    Py_XDECREF(bound);
    return result;
}

static PyObject *
Function_bind(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

static int
Function_traverse(Function *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->namespace);
    return 0;
}

static int
Function_clear(Function *self)
{
    Py_CLEAR(self->namespace);
    return 0;
}

static void
Function_dealloc(Function *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Function_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef Function_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Function, call), Py_READONLY, NULL},
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(Function, namespace), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef Function_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Function_slots[] = {
    {Py_tp_doc, "A function, and a method of the class that it is put into."},
    {Py_tp_dealloc, Function_dealloc},
    {Py_tp_traverse, Function_traverse},
    {Py_tp_clear, Function_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_descr_get, Function_bind},
    {Py_tp_members, Function_members},
    {Py_tp_getset, Function_properties},
    {0, NULL},
};

static PyType_Spec Function_spec = {
    .name = "otel_flight.recording.light.Function",
    .basicsize = sizeof(Function),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL
        | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION
        | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Function_slots,
};

static PyObject *
tuple_of(const char *const *names, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t index = 0; tuple != NULL && index < count; index++) {
        PyObject *name = PyUnicode_InternFromString(names[index]);
        if (name == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, index, name);
        }
    }
    return tuple;
}

static int
add_function(PyObject *module, PyTypeObject *type, const char *name, vectorcallfunc call)
{
    Function *function = (Function *)type->tp_alloc(type, 0);
    if (function == NULL) {
        return -1;
    }
    function->call = call;
    int result = PyModule_AddObjectRef(module, name, (PyObject *)function);
    Py_DECREF(function);
    return result;
}

#endif
