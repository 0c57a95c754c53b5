/* The type of light spans: their fields by the names that they have in the SDK, and their methods. */

#ifndef OTEL_FLIGHT_TYPE_H
#define OTEL_FLIGHT_TYPE_H

#include "life.h"

#define OBJECT_AT(self, offset) (*(PyObject **)((char *)(self) + (Py_ssize_t)(intptr_t)(offset)))

static PyObject *
get_object(LightSpan *self, void *offset)
{
    PyObject *value = OBJECT_AT(self, offset);
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "it was deleted");
    }
    return Py_XNewRef(value);
}

static int
set_object(LightSpan *self, PyObject *value, void *offset)
{
    Py_XSETREF(OBJECT_AT(self, offset), Py_XNewRef(value));
    return 0;
}

static PyObject *
get_context(LightSpan *self, void *Py_UNUSED(closure))
{
    return context_of(self);
}

static int
cannot_delete(PyObject *value)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "it cannot be deleted");
    }
    return value == NULL;
}

static int
set_context(LightSpan *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (cannot_delete(value)) {
        return -1;
    }
    take_context(self, value);
    return 0;
}

static int
set_parent(LightSpan *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (cannot_delete(value)) {
        return -1;
    }
    Py_XSETREF(self->parent, Py_NewRef(value));
    return 0;
}

static PyObject *
get_status(LightSpan *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->status == NULL ? known.unset_status : self->status);
}

/* The attributes as a dict; None once they are in a container of the SDK's. */
static PyObject *
get_own(LightSpan *self, void *Py_UNUSED(closure))
{
    if (self->is_odd) {
        Py_RETURN_NONE;
    }
    return have_own(self) == 0 ? Py_NewRef(self->own) : NULL;
}

static int
set_own(LightSpan *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value != NULL && value != Py_None) {
        PyErr_SetString(PyExc_TypeError, "it can be given up, and nothing else");
        return -1;
    }
    self->is_odd = 1;
    Py_CLEAR(self->own);
    return 0;
}

static PyObject *
get_time(LightSpan *self, void *offset)
{
    return time_object((Time *)((char *)self + (Py_ssize_t)(intptr_t)offset));
}

static int
set_time(LightSpan *self, PyObject *value, void *offset)
{
    take_time((Time *)((char *)self + (Py_ssize_t)(intptr_t)offset),
              value == NULL ? Py_None : value);
    return 0;
}

static PyObject *
get_flag(LightSpan *self, void *offset)
{
    return PyBool_FromLong(*((char *)self + (Py_ssize_t)(intptr_t)offset));
}

static int
set_flag(LightSpan *self, PyObject *value, void *offset)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    *((char *)self + (Py_ssize_t)(intptr_t)offset) = (char)(truth > 0);
    return truth < 0 ? -1 : 0;
}

#define FIELD(name, get, set, part)                                                                \
    {name, (getter)get, (setter)set, NULL, (void *)(intptr_t)offsetof(LightSpan, part)}
static PyGetSetDef Span_fields[] = {
    FIELD("_shape", get_object, NULL, shape),
    FIELD("_name", get_object, set_object, name),
    FIELD("_kind", get_object, set_object, kind),
    FIELD("kind", get_object, NULL, kind),
    FIELD("name", get_object, NULL, name),
    FIELD("_resource", get_object, set_object, resource),
    FIELD("_instrumentation_scope", get_object, set_object, scope),
    FIELD("_context", get_context, set_context, context),
    FIELD("_parent", get_object, set_parent, parent),
    FIELD("_status", get_status, set_object, status),
    FIELD("_own", get_own, set_own, own),
    FIELD("_start_time", get_time, set_time, start),
    FIELD("_end_time", get_time, set_time, end),
    FIELD("_record_exception", get_flag, set_flag, records),
    FIELD("_set_status_on_exception", get_flag, set_flag, sets_status),
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- methods --------------------------------------------------------------------------------- */

static PyObject *
Span_update_name(LightSpan *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *name = NULL;
    if (sort_arguments("update_name", name_names, &name, arguments, count, keywords) != 0) {
        return NULL;
    }
    if (has_ended(self)) {
        return by_python(names.update_name, self, name, NULL);
    }
    Py_XSETREF(self->name, Py_NewRef(name));
    Py_RETURN_NONE;
}

static PyObject *
Span_get_span_context(LightSpan *self, PyObject *Py_UNUSED(ignored))
{
    return context_of(self);
}

static PyObject *
Span_is_recording(LightSpan *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(!has_ended(self));
}

/* ---- the type ------------------------------------------------------------------------------- */

static int
Span_traverse(LightSpan *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
#define VISIT(part) Py_VISIT(self->part);
    SPAN_PARTS(VISIT)
    Py_VISIT(self->start.object);
    Py_VISIT(self->end.object);
    return 0;
}

/* Clears what the program gave. What is left refers to no span but by way of the recorder. */
static int
Span_clear(LightSpan *self)
{
    Py_CLEAR(self->name);
    Py_CLEAR(self->kind);
    Py_CLEAR(self->status);
    Py_CLEAR(self->own);
    Py_CLEAR(self->start.object);
    Py_CLEAR(self->end.object);
    return 0;
}

static void
Span_dealloc(LightSpan *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
#define RELEASE(part) Py_CLEAR(self->part);
    SPAN_PARTS(RELEASE)
    Py_CLEAR(self->start.object);
    Py_CLEAR(self->end.object);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
Span_new(PyTypeObject *type, PyObject *Py_UNUSED(arguments), PyObject *Py_UNUSED(keywords))
{
    PyErr_Format(PyExc_TypeError, "%s must be instantiated via a tracer.", type->tp_name);
    return NULL;
}

/* With a signature, which mocks and validators ask a method for. */
#define METHOD(name, flags, arguments)                                                             \
    {#name, (PyCFunction)(void (*)(void))Span_##name, flags,                                       \
     #name "($self" arguments ")\n--\n\nSee `opentelemetry.trace.Span`."}
static PyMethodDef Span_methods[] = {
    METHOD(get_span_context, METH_NOARGS, ""),
    METHOD(is_recording, METH_NOARGS, ""),
    METHOD(set_attribute, METH_FASTCALL | METH_KEYWORDS, ", key, value"),
    METHOD(set_attributes, METH_FASTCALL | METH_KEYWORDS, ", attributes"),
    METHOD(update_name, METH_FASTCALL | METH_KEYWORDS, ", name"),
    METHOD(end, METH_FASTCALL | METH_KEYWORDS, ", end_time=None"),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Span_slots[] = {
    {Py_tp_doc, "What a light span keeps, and how it begins and ends."},
    {Py_tp_new, Span_new},
    {Py_tp_dealloc, Span_dealloc},
    {Py_tp_traverse, Span_traverse},
    {Py_tp_clear, Span_clear},
    {Py_tp_methods, Span_methods},
    {Py_tp_getset, Span_fields},
    {0, NULL},
};

static PyType_Spec Span_spec = {
    .name = "otel_flight.recording.light._light_span.LightSpanBase",
    .basicsize = sizeof(LightSpan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = Span_slots,
};

#endif
